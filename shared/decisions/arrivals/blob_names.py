"""Unreadable blob names: the storage accepts them, but no listing or URL can carry them. Pure.

Storage accepts any name that a URL can spell. Its listings are XML 1.0, which cannot express most control characters,
lone surrogates, U+FFFE and U+FFFF; and every HTTP client resolves ``.`` and ``..`` between slashes, so that a request
for such a blob asks for another one.
https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
"""

import re
from collections.abc import Iterable

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# No name that means anything holds these two, which Unicode keeps for programs' own use.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_CARRIED = re.compile(f"{_OPEN}([0-9a-f]+){_CLOSE}")
_MOST_SHOWN = 3
_LONGEST_SHOWN = 120


def unsafe_characters(name: str) -> bool:
    """Whether the name holds control characters, lone surrogates, or what Unicode says is no character."""
    return _UNSAFE.search(name) is not None


def can_be_had(name: str) -> bool:
    """Whether a blob of that name can be listed, requested and reported without its name changing."""
    steps = "." in name and not {".", ".."}.isdisjoint(name.split("/"))
    return not steps and not unsafe_characters(name)


def carried(text: str) -> str:
    """The text with what XML 1.0 cannot express escaped; :func:`spelt` shows the original."""
    return _NOT_IN_XML.sub(lambda found: f"{_OPEN}{ord(found[0]):x}{_CLOSE}", text)


def spelt(name: str) -> str:
    r"""The name as shown in sentences: invisible characters are written as escapes, such as ``\x0b``."""
    text = _CARRIED.sub(lambda found: chr(int(found[1], 16)), name)
    text = _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def some_of(names: Iterable[str], count: int) -> str:
    """The first few names, as :func:`spelt`, and how many more there are."""
    first = [spelt(name) for name, _ in zip(names, range(_MOST_SHOWN), strict=False)]
    more = count - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
