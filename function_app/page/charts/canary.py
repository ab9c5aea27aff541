"""A canary as it goes: for each step how much of the traffic, which share of the requests failed, and the evidence.

The evidence against the new model is the judge's own (:mod:`shared.decisions.delivery.canary`), drawn by its powers of
ten from 1, which says nothing, past the limit at which the new model goes back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

from function_app.page.charts.axis import Axis, axis, finite, number_text
from function_app.page.charts.frame import (
    FONT,
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
from function_app.page.charts.signs import ARROW, CROSS, DASH, TICK, diamond_at, disc_at, sign
from function_app.page.charts.svg import Element, compact, element, fitted, width_of
from function_app.page.charts.words import Words

MOST_STEPS: Final = 12
_TOP, _ROW, _LOW, _BAR = 50, 50, 26, 8  # a row without numbers is low
_BARS, _ACROSS = 20, 24  # from the top of a row to its bars, and how high these are with the air around them
_ERRORS: Final = 200  # the width of the shares of errors; the rest is for the evidence
_EVIDENCE, _ROOM = 244.0, 108.0
_LEAST_SCALE: Final = 0.01
_BEYOND: Final = 10.0  # so many times the limit is drawn of the evidence


class StepState(StrEnum):
    """How a step stands. ``INCONCLUSIVE``: too few requests; ``AGAINST``: the new model went back."""

    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    AGAINST = "against"
    UNDER_WAY = "under_way"
    TO_COME = "to_come"

    @property
    def counted(self) -> bool:
        """Whether the step has numbers."""
        return self is not StepState.TO_COME


_SIGNS: Final = {
    StepState.PASSED: TICK,
    StepState.INCONCLUSIVE: DASH,
    StepState.AGAINST: CROSS,
    StepState.UNDER_WAY: ARROW,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step with its weight in percent; ``stable_...`` of the model before; ``evidence`` None where it is not known.

    A step that was passed and whose numbers are not known has no requests.
    """

    weight: float
    state: StepState
    requests: int = 0
    errors: int = 0
    stable_requests: int = 0
    stable_errors: int = 0
    evidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The steps of a canary on a target; ``limit``: the evidence at which it goes back."""

    steps: Sequence[Step]
    least_requests: int = 0
    limit: float = 20.0


@dataclass(frozen=True, slots=True)
class _Plot:
    """What all rows share: the scale of the errors, the limit of the evidence, and the words."""

    shown: Canary
    scale: Axis
    words: Words
    key: str

    def along(self, evidence: float) -> float:
        """Where evidence is drawn, by its logarithm; beyond the scale at its end."""
        whole = math.log(max(self.shown.limit, 1.001) * _BEYOND)
        return _EVIDENCE + min(1.0, math.log(max(1.0, evidence)) / whole) * _ROOM


def canary(shown: Canary, words: Words, key: str) -> Chart:
    """The chart and its table."""
    title = words.text("The new model beside the one before")
    steps = tuple(shown.steps)[:MOST_STEPS]
    table = _table(steps, title, words)
    if not steps:
        none = words.text("The new model is not tried beside the one before")
        return Chart(drawn(key, title, none, 90, (heading(title), nothing(110, none))), table)
    shares = [share for step in steps for share in _shares(step) if share is not None]
    plot = _Plot(shown, axis([0.0, _LEAST_SCALE, *shares], most=3), words, key)
    *tops, bottom = accumulate((_ROW if step.state.counted else _LOW for step in steps), initial=_TOP)
    signs, height = legend(bottom + 32, _legend(steps, plot))
    rows = (part for step, top in zip(steps, tops, strict=True) for part in _row(step, top, plot))
    parts = (
        heading(title),
        hatch(key),
        text_at(0, 38, fitted(words.text("failed requests"), _ERRORS, FONT), "c-quiet"),
        text_at(WIDTH, 38, fitted(words.text("evidence against it"), 144, FONT), "c-quiet", "end"),
        *_labels(plot, bottom + 16),
        *rows,
        signs,
    )
    return Chart(drawn(key, title, _summary(steps, words), bottom + 34 + height, parts), table)


def _shares(step: Step) -> tuple[float | None, float | None]:
    """Errors of the new model and of the one before, as shares of one; None without requests."""
    if not step.state.counted:
        return None, None
    return _share(step.errors, step.requests), _share(step.stable_errors, step.stable_requests)


def _share(errors: int, requests: int) -> float | None:
    return min(1.0, max(0.0, errors / requests)) if requests > 0 else None


def _labels(plot: _Plot, y: float) -> list[Element]:
    words, last = plot.words, float(plot.scale.ticks[-1])
    most = words.percent(last, max(0, plot.scale.decimals - 2))
    limit = number_text(plot.shown.limit, words)
    return [
        text_at(0, y, fitted(words.percent(0.0, 0), 90, FONT), "c-quiet"),
        text_at(_ERRORS, y, fitted(most, 90, FONT), "c-quiet", "end"),
        text_at(_EVIDENCE, y, fitted(words.number(1, 0), 40, FONT), "c-quiet", "middle"),
        text_at(plot.along(plot.shown.limit), y, fitted(limit, 80, FONT), "c-floor-label", "middle"),
    ]


def _row(step: Step, top: float, plot: _Plot) -> list[Element]:
    y, words = top + 14, plot.words
    weight = words.text("%(share)s of traffic", share=words.percent(step.weight / 100, 0))
    requests = fitted(_requests(step, plot.shown.least_requests, words), 200, FONT)
    room = WIDTH - 28 - width_of(requests, FONT)
    kind = "c-label" if step.state.counted else "c-quiet"
    parts = [
        element("g", sign(_SIGNS.get(step.state), step.state.value), transform=f"translate(7 {compact(y - 5)})"),
        text_at(20, y, fitted(weight, room, FONT), kind),
        text_at(WIDTH, y, requests, kind, "end"),
    ]
    if not step.state.counted:
        return parts
    tip = element("title", _tip(step, words))
    middle = top + _BARS + _ACROSS / 2
    return [*parts, element("g", tip, *_rules(top, plot), *_bars(step, top, plot), *_gauge(step, middle, plot))]


def _requests(step: Step, least: int, words: Words) -> str:
    if not step.state.counted:
        return ""
    if step.requests < least and step.state in {StepState.UNDER_WAY, StepState.INCONCLUSIVE}:
        values = {"requests": words.number(step.requests, 0), "least": words.number(least, 0)}
        return words.text("%(requests)s of %(least)s requests", **values)
    return words.plural("%(number)s request", "%(number)s requests", step.requests) if step.requests else ""


def _rules(top: float, plot: _Plot) -> list[Element]:
    y = compact(top + _BARS)
    places = (compact(plot.scale.share(float(tick)) * _ERRORS) for tick in plot.scale.ticks)
    limit = f"M{compact(plot.along(plot.shown.limit))} {y}v{_ACROSS}"
    return [grid_lines("".join(f"M{x} {y}v{_ACROSS}" for x in places)), line(limit, "c-floor", dashes="6 3")]


def _bars(step: Step, top: float, plot: _Plot) -> list[Element]:
    new, before = _shares(step)
    y = top + _BARS + 3
    parts = []
    if new is not None:
        parts.append(_new(f"M0 {compact(y)}h{compact(max(1.0, plot.scale.share(new) * _ERRORS))}v{_BAR}H0Z"))
    if before is not None:
        wide = compact(max(1.0, plot.scale.share(before) * _ERRORS))
        parts.append(_before(f"M0 {compact(y + _BAR + 2)}h{wide}v{_BAR}H0Z", plot.key))
    return parts


def _new(path: str) -> Element:
    return element("path", d=path, class_="c-new")


def _before(path: str, key: str) -> Element:
    return element("path", d=path, class_="c-before", fill=hatched(key), stroke="currentColor", stroke_width=1)


def _gauge(step: Step, y: float, plot: _Plot) -> list[Element]:
    evidence = finite(step.evidence)
    if evidence is None:
        return []
    x = plot.along(evidence)
    path = line(f"M{compact(_EVIDENCE)} {compact(y)}H{compact(x)}", "c-line", width=2)
    if evidence >= plot.shown.limit:
        return [path, element("path", d=diamond_at(x, y), class_="c-against")]
    return [path, element("path", d=disc_at(x, y), class_="c-promoted")]


def _said(state: StepState, words: Words) -> str:
    match state:
        case StepState.PASSED:
            return words.text("passed")
        case StepState.INCONCLUSIVE:
            return words.text("too few requests")
        case StepState.AGAINST:
            return words.text("went back")
        case StepState.UNDER_WAY:
            return words.text("under way")
        case _:
            return words.text("to come")


def _failed(errors: int, requests: int, words: Words) -> str:
    values = {"errors": words.number(errors, 0), "requests": words.number(requests, 0)}
    return words.text("%(errors)s of %(requests)s failed", **values)


def _tip(step: Step, words: Words) -> str:
    return words.text(
        "%(share)s of traffic: new model %(new)s, model before %(before)s; %(state)s",
        share=words.percent(step.weight / 100, 0),
        new=_failed(step.errors, step.requests, words),
        before=_failed(step.stable_errors, step.stable_requests, words),
        state=_said(step.state, words),
    )


def _legend(steps: tuple[Step, ...], plot: _Plot) -> list[tuple[Element, str]]:
    words, swatch = plot.words, "M-6 -4h12v8h-12z"
    entries = [
        (_new(swatch), words.text("new model")),
        (_before(swatch, plot.key), words.text("model before")),
        (line("M0 -8V8", "c-floor", dashes="6 3"), words.text("from here it goes back")),
    ]
    found = [state for state in StepState if any(step.state is state for step in steps)]
    return entries + [(sign(_SIGNS.get(state), state.value), _said(state, words)) for state in found]


def _summary(steps: tuple[Step, ...], words: Words) -> str:
    return sentence(*(f"{_tip(step, words)}." for step in steps if step.state.counted))


def _table(steps: tuple[Step, ...], title: str, words: Words) -> Table:
    columns = (
        words.text("Traffic"),
        words.text("State"),
        words.text("New model"),
        words.text("Model before"),
        words.text("Evidence against it"),
    )
    return Table(title, columns, tuple(_cells(step, words) for step in steps))


def _cells(step: Step, words: Words) -> Row:
    evidence = finite(step.evidence)
    numbers = (
        (
            _failed(step.errors, step.requests, words),
            _failed(step.stable_errors, step.stable_requests, words),
            number_text(evidence, words) if evidence is not None else "",
        )
        if step.state.counted
        else ("", "", "")
    )
    return Row((words.percent(step.weight / 100, 0), _said(step.state, words), *numbers))
