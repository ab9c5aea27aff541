"""A metric over the runs of a pipeline: a point for each with its interval, the champion's marked, the floor as a line.

Only numbers that were measured on the same rows and with the same code are joined by a line; where either changed, an
upright line says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from function_app.page.charts.axis import finite, number_text
from function_app.page.charts.frame import (
    FONT,
    WIDTH,
    Chart,
    Row,
    Table,
    drawn,
    heading,
    legend,
    nothing,
    sentence,
    text_at,
)
from function_app.page.charts.metric_plot import (
    BOTTOM,
    MeasuredRun,
    Plot,
    Point,
    drawing,
    interval_of,
    legend_entries,
    plot_of,
)
from function_app.page.charts.svg import Element, fitted, isolated
from function_app.page.charts.words import Words
from shared.values.texts import shortened

MOST_RUNS: Final = 50
_NAME: Final = 40  # characters of a run's name in a tip


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """A metric over runs, the oldest first. Of more than :data:`MOST_RUNS` the newest are shown."""

    metric: str
    runs: Sequence[MeasuredRun] = ()
    floor: float | None = None
    higher_is_better: bool = True


def run_metrics(shown: RunMetrics, words: Words, key: str) -> Chart:
    """The chart and its table."""
    runs = tuple(shown.runs)[-MOST_RUNS:]
    title = words.text("%(metric)s over the runs", metric=isolated(shortened(shown.metric, 80)))
    table = _table(shown, runs, words)
    if not runs:
        none = words.text("No runs yet")
        return Chart(drawn(key, title, none, 90, (heading(title), nothing(110, none))), table)
    floor = finite(shown.floor)
    plot = plot_of(runs, floor, words)
    tips = tuple(_tip(point, words) for point in plot.points)
    signs, height = legend(BOTTOM + 40, legend_entries(plot, words))
    parts = (
        heading(title),
        text_at(0, 34, _direction(shown, plot, words), "c-quiet"),
        *drawing(plot, floor, tips, words),
        *_days(plot, words),
        signs,
    )
    return Chart(drawn(key, title, _summary(shown, runs, words), BOTTOM + 42 + height, parts), table)


def _direction(shown: RunMetrics, plot: Plot, words: Words) -> str:
    better = words.text("↑ higher is better") if shown.higher_is_better else words.text("↓ lower is better")
    return fitted(sentence(better, plot.scale.power), WIDTH, FONT)


def _days(plot: Plot, words: Words) -> list[Element]:
    first, last = plot.points[0], plot.points[-1]
    y = BOTTOM + 30
    if first is last:
        return [text_at(first.x, y, fitted(words.date(first.run.day), 120, FONT), "c-quiet", "middle")]
    return [
        text_at(plot.left, y, fitted(words.date(first.run.day), 120, FONT), "c-quiet"),
        text_at(WIDTH, y, fitted(words.date(last.run.day), 120, FONT), "c-quiet", "end"),
    ]


def _standing(run: MeasuredRun, words: Words) -> str:
    if run.champion:
        return words.text("in use now")
    return words.text("once in use") if run.promoted else words.text("not taken into use")


def _tip(point: Point, words: Words) -> str:
    run, day = isolated(shortened(point.run.run, _NAME)), words.date(point.run.day)
    if point.value is None:
        return words.text("%(run)s, %(day)s: no number", run=run, day=day)
    number, standing = _number(point.value, point.low, point.high, words), _standing(point.run, words)
    return words.text("%(run)s, %(day)s: %(number)s, %(standing)s", run=run, day=day, number=number, standing=standing)


def _number(value: float, low: float | None, high: float | None, words: Words) -> str:
    number = number_text(value, words)
    if low is None or high is None:
        return number
    ends = {"low": number_text(low, words), "high": number_text(high, words)}
    return words.text("%(number)s (%(low)s to %(high)s)", number=number, **ends)


def _summary(shown: RunMetrics, runs: tuple[MeasuredRun, ...], words: Words) -> str:
    measured = [(run, value) for run in runs if (value := finite(run.value)) is not None]
    parts = [words.plural("%(number)s run.", "%(number)s runs.", len(runs))]
    if measured:
        run, value = measured[-1]
        number, day = number_text(value, words), words.date(run.day)
        parts.append(words.text("Newest number: %(number)s (%(day)s).", number=number, day=day))
    champion = next((value for run, value in reversed(measured) if run.champion), None)
    if champion is not None:
        parts.append(words.text("In use now: %(number)s.", number=number_text(champion, words)))
    if (floor := finite(shown.floor)) is not None:
        parts.append(words.text("Limit: %(number)s.", number=number_text(floor, words)))
    return sentence(*parts)


def _table(shown: RunMetrics, runs: tuple[MeasuredRun, ...], words: Words) -> Table:
    columns = (words.text("Run"), words.text("Day"), shown.metric, words.text("Model"))
    rows = tuple(_row(run, words) for run in reversed(runs))
    return Table(words.text("%(metric)s over the runs", metric=shown.metric), columns, rows)


def _row(run: MeasuredRun, words: Words) -> Row:
    value = finite(run.value)
    number = words.text("no number") if value is None else _number(value, *interval_of(run), words)
    return Row((run.run, words.date(run.day), number, _standing(run, words)), key=run.run)
