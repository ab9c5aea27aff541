"""Which known files somebody may mean, whose words are no file's name. Pure."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final
from urllib.parse import unquote

_LONGEST: Final = 200  # characters of a name that is compared letter by letter
_ALIKE: Final = 0.75


def near_names(text: str, names: Sequence[str], *, most: int) -> list[str]:
    """The names that contain the text, or that it ends with, as an address does; else those that are spelt alike.

    The former in their order, the latter with the likest first. Capitals make no difference.
    """
    known = list(dict.fromkeys(names))
    wanted = unquote(text).strip().replace("\\", "/").casefold()
    if not wanted:
        return known[:most]
    return [each for each in known if _is_meant(wanted, each.casefold())][:most] or _spelt_alike(wanted, known, most)


def _is_meant(wanted: str, name: str) -> bool:
    return wanted in name or wanted.endswith(f"/{name}")


def _spelt_alike(wanted: str, known: Sequence[str], most: int) -> list[str]:
    if len(wanted) > _LONGEST:
        return []
    short = [each for each in known if len(each) <= _LONGEST]
    spellings = {each: {each.casefold(), each.casefold().rpartition("/")[2]} for each in short}
    every = {spelling for of_one in spellings.values() for spelling in of_one}
    alike = get_close_matches(wanted, sorted(every), n=most, cutoff=_ALIKE)
    found = (name for spelling in alike for name, spelt in spellings.items() if spelling in spelt)
    return list(dict.fromkeys(found))[:most]
