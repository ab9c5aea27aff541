"""Files that arrived, day by day: a column for each week, larger squares for more files, signs for what did not come.

Half a year is a band of its own, so that the days of a whole year can be told apart on a phone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from function_app.page.charts.frame import (
    FONT,
    WIDTH,
    Chart,
    Row,
    Table,
    drawn,
    heading,
    ident,
    legend,
    line,
    nothing,
    sentence,
    text_at,
)
from function_app.page.charts.signs import CROSS, ring
from function_app.page.charts.svg import Element, compact, element, fitted, width_of
from function_app.page.charts.words import Words

MOST_WEEKS: Final = 53
STEPS: Final = 5
_DAYS: Final = 7
_IN_A_BAND: Final = 27  # weeks
_LEFT, _TOP, _LARGEST = 36, 46, 20
_GAP: Final = 2  # between squares
_BETWEEN: Final = 30  # bands


class Expectation(StrEnum):
    """What was expected of a day. ``MISSED``: it did not come, or too little. ``DUE``: it may still come."""

    NONE = "none"
    MISSED = "missed"
    DUE = "due"


_SIGNS: Final = {Expectation.NONE: "", Expectation.MISSED: " ✕", Expectation.DUE: " ○"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day in the reader's zone, and how many files arrived."""

    day: date
    files: int = 0
    expectation: Expectation = Expectation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalsCalendar:
    """The days of a pipeline, in any order. Of more than :data:`MOST_WEEKS` weeks the newest are shown."""

    days: Sequence[Day] = ()


@dataclass(frozen=True, slots=True)
class _Grid:
    first: date  # a Monday
    weeks: int
    cell: int  # even, so that places are whole numbers
    in_a_band: int

    def place(self, day: date) -> tuple[float, float]:
        """The middle of a day's square."""
        week, weekday = divmod((day - self.first).days, _DAYS)
        band, column = divmod(week, self.in_a_band)
        top = _TOP + band * (_DAYS * self.cell + _BETWEEN)
        return _LEFT + (column + 0.5) * self.cell, top + (weekday + 0.5) * self.cell

    @property
    def bands(self) -> int:
        return -(-self.weeks // self.in_a_band)

    @property
    def bottom(self) -> float:
        return _TOP + self.bands * (_DAYS * self.cell + _BETWEEN) - _BETWEEN


def arrivals_calendar(shown: ArrivalsCalendar, words: Words, key: str) -> Chart:
    """The chart and its table."""
    title = words.text("Files that arrived, by day")
    days = _newest(shown.days)
    said = _said(days, words)
    table = _table(days, said, title, words)
    if not days:
        none = words.text("No arrivals yet")
        return Chart(drawn(key, title, none, 90, (heading(title), nothing(110, none))), table)
    grid = _grid(days)
    bounds = upper_bounds(max(day.files for day in days))
    signs, height = legend(grid.bottom + 10, _legend(days, bounds, words))
    parts = (
        heading(title),
        *_weekdays(grid, words),
        *_weeks(grid, words),
        *_markers(days, key),
        *_squares(days, grid, bounds, said, key),
        signs,
    )
    return Chart(drawn(key, title, _summary(days, words), grid.bottom + 12 + height, parts), table)


def upper_bounds(most: int) -> tuple[int, ...]:
    """The largest number of files of each step but the last one, by 1, 2 and 5, for at most ``most`` files a day."""
    if most <= STEPS:
        return tuple(range(1, most))
    bounds = sorted({_nice(most ** (step / STEPS)) for step in range(1, STEPS)})
    return tuple(bound for bound in bounds if bound < most)


def step_of(files: int, bounds: Sequence[int]) -> int:
    """The step of a number of files, 1 to :data:`STEPS`; 0 for none. With fewer steps they are further apart."""
    if files <= 0:
        return 0
    rank = sum(files > bound for bound in bounds) + 1
    return round(rank * STEPS / (len(bounds) + 1))


def _nice(least: float) -> int:
    power = 1
    while 10 * power <= least:
        power *= 10
    return next(power * each for each in (1, 2, 5, 10) if power * each >= least)


def _newest(days: Sequence[Day]) -> tuple[Day, ...]:
    if not days:
        return ()
    last = max(day.day for day in days)
    first = _monday(last) - timedelta(weeks=min(MOST_WEEKS - 1, (_monday(last) - date.min).days // _DAYS))
    return tuple(sorted({day.day: day for day in days if day.day >= first}.values(), key=lambda day: day.day))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _grid(days: tuple[Day, ...]) -> _Grid:
    first = _monday(days[0].day)
    weeks = (days[-1].day - first).days // _DAYS + 1
    in_a_band = weeks if weeks <= _IN_A_BAND else -(-weeks // 2)
    return _Grid(first, weeks, min(_LARGEST, (WIDTH - _LEFT) // in_a_band // 2 * 2), in_a_band)


def _weekdays(grid: _Grid, words: Words) -> Iterable[Element]:
    names = _names(words)[::2]
    for band in range(grid.bands):
        for row, name in zip((0, 2, 4, 6), names, strict=True):
            _, y = grid.place(grid.first + timedelta(weeks=band * grid.in_a_band, days=row))
            yield text_at(0, y + 5, fitted(name, _LEFT - 6, FONT), "c-quiet")


def _weeks(grid: _Grid, words: Words) -> Iterable[Element]:
    """The first Monday of a month, where there is room for it."""
    free, band = 0.0, -1
    for week in range(grid.weeks):
        monday = grid.first + timedelta(weeks=week)
        x, y = grid.place(monday)
        x -= grid.cell / 2
        if week // grid.in_a_band != band:
            free, band = 0.0, week // grid.in_a_band
        elif monday.day > _DAYS:
            continue
        label = fitted(words.date(monday), 90, FONT)
        wide = width_of(label, FONT)
        if x >= free and x + wide <= WIDTH:
            free = x + wide + 8
            yield text_at(x, y - grid.cell / 2 - 5, label, "c-quiet")


def _said(days: tuple[Day, ...], words: Words) -> dict[date, tuple[str, str]]:
    """What each day is called, and its files with a sign that the legend explains; equal numbers are made once."""
    numbers = {files: words.number(files, 0) for files in {day.files for day in days}}
    return {day.day: (words.date(day.day), f"{numbers[day.files]}{_SIGNS[day.expectation]}") for day in days}


def _squares(
    days: tuple[Day, ...], grid: _Grid, bounds: Sequence[int], said: Mapping[date, tuple[str, str]], key: str
) -> Iterable[Element]:
    """A group for each step and expectation; a square is a line of no length with square ends: the fewest bytes.

    Signs are the marks of these lines. A day with a sign and without files has no square, and says the same where it
    would be.
    """
    groups = defaultdict(list)
    for day in days:
        groups[step_of(day.files, bounds), day.expectation].append(day)
    for (step, expectation), members in sorted(groups.items()):
        signed = expectation is not Expectation.NONE
        seen = step > 0 or not signed
        yield element(
            "g",
            *(_square(day, grid, said[day.day]) for day in members),
            class_=f"c-step-{step}" if seen else None,
            stroke="currentColor" if seen else "none",
            stroke_width=_size(step if seen else STEPS, grid.cell),
            stroke_linecap="square",
            pointer_events="all" if signed else None,
            marker_start=f"url(#{ident(key)}-{expectation.value})" if signed else None,
        )


def _square(day: Day, grid: _Grid, said: tuple[str, str]) -> Element:
    x, y = grid.place(day.day)
    return element("path", element("title", ": ".join(said)), d=f"M{compact(x)} {compact(y)}h0")


def _markers(days: tuple[Day, ...], key: str) -> Iterable[Element]:
    """The signs, each with a rim that parts it from its square."""
    found = {day.expectation for day in days}
    if Expectation.MISSED in found:
        rim = element("path", d=CROSS, class_="c-rim", stroke="#fff", stroke_width=5)
        yield _marker(f"{ident(key)}-missed", rim, line(CROSS, "c-missed", width=2))
    if Expectation.DUE in found:
        rim = element("circle", r=5, class_="c-rim", fill="#fff", stroke="none")
        yield _marker(f"{ident(key)}-due", rim, ring("c-due"))


def _marker(name: str, *signs: Element) -> Element:
    view = "-8 -8 16 16"
    return element(
        "marker", *signs, id=name, viewBox=view, markerWidth=16, markerHeight=16, markerUnits="userSpaceOnUse"
    )


def _size(step: int, cell: float) -> float:
    whole = cell - _GAP
    return round(2.0 if step == 0 else whole * (0.3 + 0.7 * step / STEPS), 1)


def _legend(days: tuple[Day, ...], bounds: Sequence[int], words: Words) -> list[tuple[Element, str]]:
    entries = []
    most = max(day.files for day in days)
    lowest = 1
    for highest in (*bounds, most):
        if highest >= lowest:
            entries.append((_swatch(step_of(highest, bounds)), _range(lowest, highest, words)))
            lowest = highest + 1
    if any(day.expectation is Expectation.MISSED for day in days):
        entries.append((line(CROSS, "c-missed", width=2), words.text("expected and did not come")))
    if any(day.expectation is Expectation.DUE for day in days):
        entries.append((ring("c-due"), words.text("expected, may still come")))
    return entries


def _swatch(step: int) -> Element:
    kind = f"c-step-{step}"
    wide = _size(step, 14)
    return element("path", d="M0 0h0", class_=kind, stroke="currentColor", stroke_width=wide, stroke_linecap="square")


def _range(lowest: int, highest: int, words: Words) -> str:
    if lowest == highest:
        return words.number(lowest, 0)
    return f"{words.number(lowest, 0)}–{words.number(highest, 0)}"  # noqa: RUF001 - a range has an en dash


def _summary(days: tuple[Day, ...], words: Words) -> str:
    files = sum(day.files for day in days)
    missed = sum(day.expectation is Expectation.MISSED for day in days)
    values = {"first": words.date(days[0].day), "last": words.date(days[-1].day)}
    return sentence(
        words.text("%(first)s to %(last)s:", **values),
        words.plural("%(number)s file.", "%(number)s files.", files),
        words.plural("%(number)s day without what was expected.", "%(number)s days without what was expected.", missed),
    )


def _table(days: tuple[Day, ...], said: Mapping[date, tuple[str, str]], title: str, words: Words) -> Table:
    """A row for each week, the newest first, with the signs of the chart: a year of days is too long to read."""
    weeks: defaultdict[date, list[str]] = defaultdict(lambda: [""] * _DAYS)
    for day in days:
        weeks[_monday(day.day)][day.day.weekday()] = said[day.day][1]
    rows = (Row((words.date(monday), *weeks[monday]), key=str(monday)) for monday in sorted(weeks, reverse=True))
    return Table(title, (words.text("Week of"), *_names(words)), tuple(rows))


def _names(words: Words) -> tuple[str, ...]:
    return (
        words.text("Mon"),
        words.text("Tue"),
        words.text("Wed"),
        words.text("Thu"),
        words.text("Fri"),
        words.text("Sat"),
        words.text("Sun"),
    )
