"""The drawing of a metric over runs: scale, points, intervals, what joins them and what parts them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Final

from function_app.page.charts import signs
from function_app.page.charts.axis import Axis, axis, finite, number_text
from function_app.page.charts.frame import FONT, WIDTH, grid_lines, line, text_at
from function_app.page.charts.svg import Element, compact, element, fitted, width_of
from function_app.page.charts.words import Words

_TOP, _HIGH = 52.0, 150.0
BOTTOM: Final = _TOP + _HIGH
_FAR: Final = 2.0  # a floor that is so many times the spread of all numbers away is named at the edge


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """A run and what was measured of its model; ``value`` is None for a run without the metric.

    ``low`` and ``high``: the interval of the value. ``champion``: its model serves now; ``promoted``: it did once.
    ``measured_with``: any text that is another one when the rows or the code that measured are others.
    """

    run: str
    day: date
    value: float | None = None
    low: float | None = None
    high: float | None = None
    champion: bool = False
    promoted: bool = False
    measured_with: str = ""


class Kind(StrEnum):
    """How a run is marked, in the order in which they lie on each other."""

    GAP = "gap"
    NOT_PROMOTED = "hollow"
    PROMOTED = "promoted"
    CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Point:
    """A run at its place, with the numbers that can be shown."""

    run: MeasuredRun
    x: float
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Plot:
    """The points, their scale, and where it stands."""

    scale: Axis
    left: float
    points: tuple[Point, ...]

    def y(self, value: float) -> float:
        """The height of a value."""
        return BOTTOM - self.scale.share(value) * _HIGH


def plot_of(runs: tuple[MeasuredRun, ...], floor: float | None, words: Words) -> Plot:
    """Points at equal distances, on a scale that has them all, and the floor unless it is far away."""
    measured = [(run, finite(run.value), *interval_of(run)) for run in runs]
    numbers = [number for _, value, low, high in measured if value is not None for number in (value, low, high)]
    known = [number for number in numbers if number is not None]
    scale = axis(known + ([floor] if floor is not None and not _is_far(floor, known) else []))
    left = min(110.0, max(width_of(label, FONT) for label in scale.labels(words)) + 10)
    start, end = left + 12, WIDTH - 10.0
    step = (end - start) / max(1, len(runs) - 1)
    if len(runs) == 1:
        start = (start + end) / 2
    points = (Point(run, start + index * step, *numbers) for index, (run, *numbers) in enumerate(measured))
    return Plot(scale, left, tuple(points))


def interval_of(run: MeasuredRun) -> tuple[float | None, float | None]:
    """Lower and upper end; None when there is no interval that can be shown."""
    low, high = finite(run.low), finite(run.high)
    if finite(run.value) is None or low is None or high is None:
        return None, None
    return min(low, high), max(low, high)


def kind_of(point: Point) -> Kind:
    """How the run is marked."""
    if point.value is None:
        return Kind.GAP
    if point.run.champion:
        return Kind.CHAMPION
    return Kind.PROMOTED if point.run.promoted else Kind.NOT_PROMOTED


def _is_far(floor: float, known: list[float]) -> bool:
    """Whether a scale with the floor on it would hide all differences."""
    if not known:
        return False
    low, high = min(known), max(known)
    spread = max(high / 2 - low / 2, 0.025 * max(abs(low), abs(high)))  # halves, since a whole may be too large
    return max(low / 2 - floor / 2, floor / 2 - high / 2) > _FAR * spread


def drawing(plot: Plot, floor: float | None, tips: tuple[str, ...], words: Words) -> list[Element]:
    """Everything but texts above and below; ``tips``: one for each point. The champion lies on top."""
    parts = (_grid(plot, words), _changes(plot), _joins(plot), *_floor(plot, floor, words), _whiskers(plot))
    return [part for part in parts if part is not None] + list(_marks(plot, tips))


def legend_entries(plot: Plot, words: Words) -> list[tuple[Element, str]]:
    """The signs that occur, and what they mean."""
    kinds = {kind_of(point) for point in plot.points}
    meanings = (
        (Kind.CHAMPION, words.text("in use now")),
        (Kind.PROMOTED, words.text("once in use")),
        (Kind.NOT_PROMOTED, words.text("not taken into use")),
        (Kind.GAP, words.text("no number")),
    )
    entries = [
        (_group(kind, [element("path", d=_path(kind, 0, 0))]), meaning) for kind, meaning in meanings if kind in kinds
    ]
    if any(point.low is not None for point in plot.points):
        entries.append((line("M0 -7V7M-3 -7H3M-3 7H3", "c-whisker"), words.text("interval")))
    if next(_changed(plot), None):
        entries.append((line("M0 -8V8", "c-change", dashes="1 4"), words.text("measured in another way from here")))
    return entries


def _grid(plot: Plot, words: Words) -> Element:
    heights = [plot.y(float(tick)) for tick in plot.scale.ticks]
    lines = "".join(f"M{compact(plot.left)} {compact(y)}H{WIDTH}" for y in heights)
    labels = (
        text_at(plot.left - 6, y + 5, fitted(label, 104, FONT), "c-quiet", "end")
        for y, label in zip(heights, plot.scale.labels(words), strict=True)
    )
    return element("g", grid_lines(lines), *labels)


def _changes(plot: Plot) -> Element | None:
    """Upright lines where rows or code changed that the models were measured with."""
    places = (compact((one.x + other.x) / 2) for one, other in _changed(plot))
    path = "".join(f"M{x} {compact(_TOP - 4)}V{compact(BOTTOM + 4)}" for x in places)
    return line(path, "c-change", dashes="1 4") if path else None


def _changed(plot: Plot) -> Iterator[tuple[Point, Point]]:
    measured = [point for point in plot.points if point.value is not None]
    return (pair for pair in pairwise(measured) if pair[0].run.measured_with != pair[1].run.measured_with)


def _joins(plot: Plot) -> Element | None:
    path = ""
    for one, other in pairwise(plot.points):
        if one.value is not None and other.value is not None and one.run.measured_with == other.run.measured_with:
            path += f"M{compact(one.x)} {compact(plot.y(one.value))}L{compact(other.x)} {compact(plot.y(other.value))}"
    return line(path, "c-line", width=1, opacity=0.5) if path else None


def _whiskers(plot: Plot) -> Element | None:
    path = ""
    for point in plot.points:
        if point.low is not None and point.high is not None:
            x, left, up, down = map(compact, (point.x, point.x - 3, plot.y(point.high), plot.y(point.low)))
            path += f"M{x} {up}V{down}M{left} {up}h6M{left} {down}h6"
    return line(path, "c-whisker") if path else None


def _marks(plot: Plot, tips: tuple[str, ...]) -> Iterator[Element]:
    """A group for each kind, which says once how its points are drawn."""
    for kind in Kind:
        marks = []
        for point, tip in zip(plot.points, tips, strict=True):
            if kind_of(point) is kind:
                y = BOTTOM + 9 if point.value is None else plot.y(point.value)
                marks.append(element("path", element("title", tip), d=_path(kind, point.x, y)))
        if marks:
            yield _group(kind, marks)


def _group(kind: Kind, marks: list[Element]) -> Element:
    name = f"c-{kind.value}"
    match kind:
        case Kind.GAP:
            return element("g", *marks, class_=name, fill="none", stroke="currentColor", stroke_width=1.5)
        case Kind.NOT_PROMOTED:
            return element("g", *marks, class_=name, fill="#fff", stroke="currentColor", stroke_width=1.5)
        case _:
            return element("g", *marks, class_=name)


def _path(kind: Kind, x: float, y: float) -> str:
    match kind:
        case Kind.GAP:
            return signs.small_cross_at(x, y)
        case Kind.CHAMPION:
            return signs.star_at(x, y)
        case _:
            return signs.disc_at(x, y)


def _floor(plot: Plot, floor: float | None, words: Words) -> Iterator[Element]:
    """A line and its name; only the name, with an arrow, for a floor that the scale does not reach."""
    if floor is None:
        return
    label = words.text("limit %(number)s", number=number_text(floor, words))
    y = plot.y(floor)
    if plot.scale.holds(floor):
        yield line(f"M{compact(plot.left)} {compact(y)}H{WIDTH}", "c-floor", dashes="6 4")
    else:
        label += " ↓" if floor < float(plot.scale.ticks[0]) else " ↑"
    yield text_at(WIDTH, y - 5 if y > _TOP + 20 else y + 16, fitted(label, 180, FONT), "c-floor-label", "end")
