"""A tree of SVG elements, and its text. Whatever is a string in the tree is escaped; there is no way around it."""

import math
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup, escape

from shared.values.texts import one_line

ISOLATE, END_OF_ISOLATE = "\u2068", "\u2069"
_FROM_RIGHT: Final = frozenset({"R", "AL", "AN"})
_NARROW: Final = frozenset("iljtfrI.,:;'|!()[]/ -")
_BROAD: Final = frozenset("mwMW%@—…")
_EM: Final = 0.54  # of most letters and digits, in the fonts that systems have for their interfaces


@dataclass(frozen=True, slots=True)
class Element:
    """An element, with its attributes and what is in it."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple["Element | str", ...] = field(default=())


def element(tag: str, *children: Element | str | None, **attributes: str | float | None) -> Element:
    """An element. ``_`` in the name of an attribute stands for ``-``; one at its end is left out (``class_``).

    Attributes and children that are None are left out.
    """
    pairs = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items() if value is not None)
    texts = ((name, value if isinstance(value, str) else compact(value)) for name, value in pairs)
    return Element(tag, tuple(texts), tuple(child for child in children if child is not None))


def markup(root: Element) -> Markup:
    """The text of the tree."""
    parts: list[str] = []
    _write(root, parts)
    return Markup("".join(parts))  # noqa: S704 - each part is escaped


def compact(number: float) -> str:
    """A coordinate with at most one decimal."""
    if not math.isfinite(number):
        raise ValueError("a coordinate must be a finite number")
    shown = f"{number:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def clean(text: str) -> str:
    """The text on one line, with characters escaped that nobody sees, or that XML does not allow.

    Isolates of the writing direction stay where each is closed again, see :func:`isolated`.
    """
    if ISOLATE not in text and END_OF_ISOLATE not in text:
        return one_line(text)
    if not _is_closed(text):
        return one_line(text)
    parts = text.replace(END_OF_ISOLATE, ISOLATE).split(ISOLATE)
    marks = [each for each in text if each in {ISOLATE, END_OF_ISOLATE}]
    kept = [_one_line_with_ends(part) for part in parts]
    return kept[0] + "".join(mark + part for mark, part in zip(marks, kept[1:], strict=True))


def isolated(text: str) -> str:
    """A text from outside, for use within a sentence of ours: written from the right, it turns nothing else around."""
    line = one_line(text)
    if any(unicodedata.bidirectional(each) in _FROM_RIGHT for each in line):
        return f"{ISOLATE}{line}{END_OF_ISOLATE}"
    return line


def width_of(text: str, size: float) -> float:
    """About how wide a text of this font size is."""
    return size * sum(map(_ems, text))


def fitted(text: str, width: float, size: float) -> str:
    """The text, cut so that it is about so wide."""
    line = clean(text)
    if width_of(line, size) <= width:
        return line
    room = width - width_of("…", size)
    for index, each in enumerate(line):
        room -= size * _ems(each)
        if room < 0:
            cut = line[:index].rstrip()
            return f"{cut}…{END_OF_ISOLATE * (cut.count(ISOLATE) - cut.count(END_OF_ISOLATE))}"
    return line


def _write(node: Element, parts: list[str]) -> None:
    """Append the texts of the tree, each escaped where it comes from outside of this function."""
    attributes = "".join([f' {name}="{_escaped(value)}"' for name, value in node.attributes])
    if not node.children:
        parts.append(f"<{node.tag}{attributes}/>")
        return
    parts.append(f"<{node.tag}{attributes}>")
    for child in node.children:
        if isinstance(child, Element):
            _write(child, parts)
        else:
            parts.append(_escaped(child))
    parts.append(f"</{node.tag}>")


def _escaped(text: str) -> str:
    return str(escape(clean(text)))


def _is_closed(text: str) -> bool:
    depth = 0
    for each in text:
        depth += (each == ISOLATE) - (each == END_OF_ISOLATE)
        if depth < 0:
            return False
    return depth == 0


def _one_line_with_ends(part: str) -> str:
    before, after = part[:1].isspace(), part[-1:].isspace()
    line = one_line(part)
    if not line:
        return " " if before else ""
    return f"{' ' if before else ''}{line}{' ' if after else ''}"


def _ems(each: str) -> float:
    if unicodedata.combining(each) or each in {ISOLATE, END_OF_ISOLATE}:
        return 0.0
    if each in _NARROW:
        return 0.32
    if each in _BROAD or unicodedata.east_asian_width(each) in {"W", "F"}:
        return 1.0
    return 0.68 if each.isupper() else _EM
