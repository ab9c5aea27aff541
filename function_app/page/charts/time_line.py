"""The time line of a run: a bar for each stage, open at its end while the stage is under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from function_app.page.charts.frame import (
    FONT,
    LINE,
    WIDTH,
    Chart,
    Row,
    Table,
    drawn,
    grid_lines,
    hatch,
    hatched,
    heading,
    legend,
    line,
    nothing,
    sentence,
    text_at,
)
from function_app.page.charts.signs import ARROW, CROSS, PAUSE, TICK, sign
from function_app.page.charts.svg import Element, compact, element, fitted, isolated, width_of
from function_app.page.charts.words import Words
from shared.values.texts import shortened

MOST_STAGES: Final = 12
_TOP, _ROW, _BAR = 30, 42, 12
_LONGEST: Final = 40  # characters of a text in a tip
_LEAST: Final = 3.0  # so that a stage of no time is seen


class StageState(StrEnum):
    """How a stage stands. ``WAITED``: it was over, and nothing was done in it but waiting."""

    DONE = "done"
    WAITED = "waited"
    UNDER_WAY = "under_way"
    FAILED = "failed"
    TO_COME = "to_come"


_SIGNS: Final = {
    StageState.DONE: TICK,
    StageState.WAITED: PAUSE,
    StageState.UNDER_WAY: ARROW,
    StageState.FAILED: CROSS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBar:
    """A stage in the reader's words; ``began`` is None for one to come, ``ended`` for one under way."""

    label: str
    state: StageState
    began: datetime | None = None
    ended: datetime | None = None
    duration: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLine:
    """The stages of a run in their order; ``began`` and ``ends`` are its times as the reader is told them."""

    stages: Sequence[StageBar]
    now: datetime
    began: str = ""
    ends: str = ""


@dataclass(frozen=True, slots=True)
class _Plot:
    """What all rows share: the time that they span, the words, and the pattern."""

    first: datetime
    whole: timedelta
    now: datetime
    words: Words
    key: str

    def across(self, stage: StageBar) -> tuple[float, float]:
        """Where the bar of a stage that has begun begins and ends."""
        began = stage.began or self.now
        start = min((began - self.first) / self.whole * WIDTH, WIDTH - _LEAST)
        end = (_end(stage, self.now) - self.first) / self.whole * WIDTH
        return start, max(start + _LEAST, end)


def time_line(shown: TimeLine, words: Words, key: str) -> Chart:
    """The chart and its table."""
    title = words.text("The stages of the run")
    stages = tuple(shown.stages)[:MOST_STAGES]
    table = _table(stages, title, words)
    begun = [stage.began for stage in stages if stage.began is not None]
    if not begun:
        none = words.text("It has not begun")
        return Chart(drawn(key, title, none, 90, (heading(title), nothing(110, none))), table)
    first = min(begun)
    ends = (_end(stage, shown.now) for stage in stages if stage.began is not None)
    plot = _Plot(first, max(timedelta.resolution, max(ends) - first), shown.now, words, key)
    bottom = _TOP + _ROW * len(stages)
    signs, height = legend(bottom + LINE + 8, _legend(stages, words))
    rows = (part for index, stage in enumerate(stages) for part in _row(stage, _TOP + index * _ROW, plot))
    parts = (heading(title), hatch(key), *rows, *_ends(shown, bottom), signs)
    return Chart(drawn(key, title, _summary(stages, words), bottom + LINE + 10 + height, parts), table)


def _end(stage: StageBar, now: datetime) -> datetime:
    return max(stage.began or now, stage.ended or now)


def _row(stage: StageBar, top: float, plot: _Plot) -> list[Element]:
    y = top + 14
    duration = fitted(stage.duration, WIDTH / 2, FONT)
    room = WIDTH - width_of(duration, FONT) - 28
    kind = "c-quiet" if stage.state is StageState.TO_COME else "c-label"
    middle = compact(top + 22 + _BAR / 2)
    parts = [
        element("g", sign(_SIGNS.get(stage.state), stage.state.value), transform=f"translate(7 {compact(y - 5)})"),
        text_at(20, y, fitted(stage.label, room, FONT), kind),
        text_at(WIDTH, y, duration, kind, "end"),
        grid_lines(f"M0 {middle}H{WIDTH}"),
    ]
    if stage.began is None:
        return parts
    bar = _bar(*plot.across(stage), top + 22, stage.state, plot.key)
    return [*parts, element("g", element("title", _tip(stage, plot.words)), *bar)]


def _bar(start: float, end: float, y: float, state: StageState, key: str) -> list[Element]:
    left, right, low = compact(start), compact(end), compact(y + _BAR)
    closed = f"M{left} {compact(y)}H{right}V{low}H{left}Z"
    kind = f"c-bar-{state.value.replace('_', '-')}"
    match state:
        case StageState.DONE:
            return [element("path", d=closed, class_=kind)]
        case StageState.UNDER_WAY:
            where = f"translate({compact(min(end, WIDTH - 5))} {compact(y + _BAR / 2)})"
            arrow = element("g", line(ARROW, "c-open", width=2), transform=where)
            return [line(f"M{right} {compact(y)}H{left}V{low}H{right}", kind), arrow]
        case _:
            paint = hatched(key)
            return [element("path", d=closed, class_=kind, fill=paint, stroke="currentColor", stroke_width=1.5)]


def _ends(shown: TimeLine, bottom: float) -> list[Element]:
    room = WIDTH / 2 - 6
    return [
        text_at(0, bottom + 14, fitted(shown.began, room, FONT), "c-quiet"),
        text_at(WIDTH, bottom + 14, fitted(shown.ends, room, FONT), "c-quiet", "end"),
    ]


def _said(state: StageState, words: Words) -> str:
    match state:
        case StageState.DONE:
            return words.text("done")
        case StageState.WAITED:
            return words.text("waited")
        case StageState.UNDER_WAY:
            return words.text("under way")
        case StageState.FAILED:
            return words.text("ended here")
        case _:
            return words.text("to come")


def _tip(stage: StageBar, words: Words) -> str:
    return sentence(
        f"{isolated(shortened(stage.label, _LONGEST))}:",
        _said(stage.state, words) + ("," if stage.duration else ""),
        isolated(shortened(stage.duration, _LONGEST)),
    )


def _legend(stages: tuple[StageBar, ...], words: Words) -> list[tuple[Element, str]]:
    found = (state for state in StageState if any(stage.state is state for stage in stages))
    return [(sign(_SIGNS.get(state), state.value), _said(state, words)) for state in found]


def _summary(stages: tuple[StageBar, ...], words: Words) -> str:
    begun = [stage for stage in stages if stage.began is not None]
    return sentence(*(f"{_tip(stage, words)}." for stage in begun))


def _table(stages: tuple[StageBar, ...], title: str, words: Words) -> Table:
    rows = tuple(Row((stage.label, _said(stage.state, words), stage.duration)) for stage in stages)
    return Table(title, (words.text("Stage"), words.text("State"), words.text("Duration")), rows)
