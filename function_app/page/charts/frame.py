"""What all charts have in common: the outer element, what it says to readers without sight, the table, the legend."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from markupsafe import Markup

from function_app.page.charts.svg import Element, clean, element, fitted, markup, width_of

WIDTH: Final = 360
"""Of every chart, in its own units. On a screen that is 320 pixels wide with margins of 16, a unit is 0.8 pixels."""
FONT: Final = 14
LINE: Final = 20
_SWATCH: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; ``key``: what it is about, for a link, such as a run."""

    cells: tuple[str, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The data of a chart. Plain texts: a template has to escape them."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, and the same as a table. ``svg`` is escaped and may stand in a page as it is."""

    svg: Markup
    table: Table


def drawn(key: str, title: str, description: str, height: float, parts: Iterable[Element | None]) -> Markup:
    """The picture. ``key``: other charts of the page have others; ids within the page begin with it."""
    name = ident(key)
    root = element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
        viewBox=f"0 0 {WIDTH} {round(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        font_size=FONT,
        fill="currentColor",
    )
    return markup(root)


def ident(key: str) -> str:
    """An id for the page, made of any text; other texts make other ids."""
    plain = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:24]
    mark = "" if plain == key else f"-{sha256(key.encode(errors='backslashreplace')).hexdigest()[:6]}"
    return f"c-{plain}{mark}"


def text_at(x: float, y: float, text: str, kind: str = "", anchor: str | None = None) -> Element:
    """A text; ``anchor``: ``middle`` or ``end``, when it does not begin at ``x``."""
    return element("text", text, x=x, y=y, class_=kind or None, text_anchor=anchor)


def line(
    path: str, kind: str, *, width: float = 1.5, dashes: str | None = None, opacity: float | None = None
) -> Element:
    """A line that fills nothing."""
    return element(
        "path",
        d=path,
        class_=kind,
        fill="none",
        stroke="currentColor",
        stroke_width=width,
        stroke_dasharray=dashes,
        stroke_opacity=opacity,
    )


def grid_lines(path: str) -> Element:
    """The lines behind everything."""
    return line(path, "c-grid", width=1, opacity=0.2)


def heading(text: str) -> Element:
    """The first line of a chart."""
    return text_at(0, 15, fitted(text, WIDTH, FONT + 1), "c-heading")


def nothing(height: float, text: str) -> Element:
    """What is said instead of a chart of nothing."""
    return text_at(WIDTH / 2, height / 2, fitted(text, WIDTH, FONT), "c-quiet", "middle")


def hatch(key: str) -> Element:
    """A pattern of slanted lines; :func:`hatched` is what fills with it."""
    return element(
        "defs",
        element(
            "pattern",
            line("M-1 5L5 -1M-1 1L1 -1M3 5L5 3", "c-hatch", width=1.2),
            id=f"{ident(key)}-hatch",
            width=4,
            height=4,
            patternUnits="userSpaceOnUse",
        ),
    )


def hatched(key: str) -> str:
    """The paint of the chart's pattern."""
    return f"url(#{ident(key)}-hatch)"


def legend(top: float, entries: Sequence[tuple[Element, str]]) -> tuple[Element, float]:
    """Symbols around the origin with their meaning, in as many lines as they need; and the height of these."""
    x, y = 0.0, top + LINE / 2
    parts: list[Element] = []
    for symbol, meaning in entries:
        shown = fitted(meaning, WIDTH - _SWATCH, FONT)
        needed = _SWATCH + width_of(shown, FONT)
        if x and x + needed > WIDTH:
            x, y = 0.0, y + LINE
        parts.append(element("g", symbol, transform=f"translate({round(x) + 7} {round(y)})"))
        parts.append(text_at(round(x) + _SWATCH, y + 5, shown, "c-label"))
        x += needed + 14
    return element("g", *parts, class_="c-legend"), (y + LINE / 2 - top if entries else 0.0)


def sentence(*parts: str) -> str:
    """Parts that say something, one after the other."""
    return " ".join(clean(part) for part in parts if part)
