"""Parts of long lists, by their number in an address."""

from collections.abc import Sequence
from typing import Final, TypeVar

Item = TypeVar("Item")

_LONGEST: Final = 3  # digits of a number; no list has a thousand pages


def pages_of(size: int, *lengths: int) -> int:
    """How many pages of ``size`` the longest of these lists fills; at least one."""
    return max(1, *(-(-length // size) for length in lengths))


def number_of(text: str, pages: int) -> int:
    """The page that an address names: the first where it names none, the last where it names one after that."""
    known = text.isascii() and text.isdecimal() and len(text) <= _LONGEST
    return min(max(int(text), 1), pages) if known else 1


def part_of(items: Sequence[Item], number: int, size: int) -> Sequence[Item]:
    """What stands on that page."""
    return items[(number - 1) * size : number * size]
