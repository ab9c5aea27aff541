"""Texts from outside, made fit to stand in ours."""

from typing import Final

LONGEST: Final = 500
"""Characters of a text from outside that go into ours."""
_GAP: Final = " ... "


def shortened(text: object, longest: int = LONGEST) -> str:
    """The text on one line, at most ``longest`` characters. The middle goes: what went wrong stands at either end."""
    line = " ".join(str(text).split())
    if len(line) <= longest:
        return line
    head = (longest - len(_GAP)) // 2
    tail = longest - len(_GAP) - head
    return f"{line[:head]}{_GAP}{line[-tail:]}"
