"""Make texts from outside safe to include in ours."""

import re
from typing import Final

LONGEST: Final = 500
"""Characters of a text from outside that go into ours."""
_GAP: Final = " ... "
_QUERY: Final = re.compile(r"\?[^\s\"'()<>]*=[^\s\"'()<>]*")


def one_line(text: object) -> str:
    """The text on one line, with invisible characters escaped.

    These are control characters, so that no text forges a line or acts on a terminal, overrides of the writing
    direction, and lone surrogates.
    """
    line = " ".join(str(text).split())
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


def shortened(text: object, longest: int = LONGEST) -> str:
    """:func:`one_line` of at most ``longest`` characters. The middle goes: what went wrong stands at either end."""
    line = one_line(text)
    if len(line) <= longest:
        return line
    head = (longest - len(_GAP)) // 2
    tail = longest - len(_GAP) - head
    return f"{line[:head]}{_GAP}{line[-tail:]}"


def counted(number: int, one: str) -> str:
    """The number with its noun: ``1 file``, ``2 files``."""
    return f"{number} {one}{'' if number == 1 else 's'}"


def without_queries(text: object) -> str:
    """The text without the query parts of its addresses: a signature in one would grant access."""
    return _QUERY.sub("?...", str(text))
