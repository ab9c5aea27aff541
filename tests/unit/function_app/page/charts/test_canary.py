import math
from typing import Any

import pytest

from function_app.page.charts import Canary, Chart, Step, StepState, canary
from function_app.page.charts.canary import MOST_STEPS
from function_app.page.charts.frame import WIDTH
from tests.support.page_words import EnglishWords
from tests.support.svg_reading import Picture


def chart_of(*steps: Step, **others: Any) -> Chart:
    return canary(Canary(steps=steps, **others), EnglishWords(), "canary")


def a_step(state: StepState = StepState.PASSED, **others: Any) -> Step:
    numbers = {"requests": 100, "errors": 2, "stable_requests": 1000, "stable_errors": 10, "evidence": 1.0}
    return Step(weight=10, state=state, **numbers | others)


def wide(picture: Picture, kind: str) -> list[float]:
    """How long the bars of this kind are."""
    return [float((bar.get("d") or "").split("h")[1].split("v")[0]) for bar in picture.of(kind)]


def gauges(picture: Picture) -> list[float]:
    """Where the evidence of each step ends."""
    return [float((each.get("d") or "").split("H")[1]) for each in picture.of("c-line")]


def limits(picture: Picture) -> set[float]:
    return {float((each.get("d") or "").removeprefix("M").split()[0]) for each in picture.of("c-floor")}


def test_without_steps_the_chart_says_so() -> None:
    assert "The new model is not tried beside the one before" in Picture(chart_of()).texts()


def test_the_share_of_errors_of_both_models_is_drawn_on_one_scale() -> None:
    picture = Picture(chart_of(a_step(errors=4, stable_errors=20)))

    (new,), (before,) = wide(picture, "c-new"), wide(picture, "c-before")
    assert new == pytest.approx(2 * before, rel=0.02)
    assert picture.of("c-before")[0].get("fill") == "url(#c-canary-hatch)"
    assert picture.of("c-new")[0].get("fill") is None
    assert picture.tips() == ["10 % of traffic: new model 4 of 100 failed, model before 20 of 1,000 failed; passed"]


@pytest.mark.parametrize(("evidence", "beyond"), [(0.0, False), (1.0, False), (19.9, False), (20.0, True), (1e6, True)])
def test_evidence_at_the_limit_is_at_its_line_and_has_another_sign(evidence: float, beyond: bool) -> None:
    picture = Picture(chart_of(a_step(evidence=evidence)))

    (limit,) = limits(picture)
    assert (gauges(picture)[0] >= limit) == beyond
    assert len(picture.of("c-against")) == beyond
    assert len(picture.of("c-promoted")) == (not beyond)


@pytest.mark.parametrize("evidence", [None, math.nan, math.inf])
def test_evidence_that_is_not_known_is_not_drawn(evidence: float | None) -> None:
    assert gauges(Picture(chart_of(a_step(evidence=evidence)))) == []


def test_a_step_to_come_has_no_numbers() -> None:
    chart = chart_of(a_step(StepState.TO_COME))

    picture = Picture(chart)
    assert not [*picture.of("c-new"), *picture.of("c-line"), *picture.tips()]
    assert chart.table.rows[0].cells == ("10 %", "to come", "", "", "")


def test_a_step_with_too_few_requests_says_how_many_are_needed() -> None:
    few = Picture(chart_of(a_step(StepState.UNDER_WAY, requests=38, errors=0), least_requests=200))
    enough = Picture(chart_of(a_step(StepState.UNDER_WAY, requests=380, errors=0), least_requests=200))

    assert "38 of 200 requests" in few.texts()
    assert "380 requests" in enough.texts()


def test_states_have_signs_of_their_own() -> None:
    picture = Picture(chart_of(*map(a_step, StepState)))

    signs = [picture.of(f"c-sign-{state.value.replace('_', '-')}")[0] for state in StepState]
    assert len({(sign.tag, sign.get("d")) for sign in signs}) == len(StepState)


@pytest.mark.parametrize(
    "step",
    [
        a_step(requests=0, errors=0, stable_requests=0, stable_errors=0, evidence=None),
        a_step(requests=10, errors=99),
        a_step(requests=10**15, errors=10**15, stable_requests=10**15, stable_errors=-1, evidence=1e308),
    ],
)
def test_extreme_numbers_stay_on_the_picture(step: Step) -> None:
    picture = Picture(chart_of(step, limit=0.0))

    assert all(1 <= each <= WIDTH for each in [*wide(picture, "c-new"), *wide(picture, "c-before")])
    assert all(0 <= each <= WIDTH for each in gauges(picture))


def test_only_so_many_steps_are_shown() -> None:
    chart = chart_of(*(a_step() for _ in range(40)))

    assert len(Picture(chart).of("c-new")) == len(chart.table.rows) == MOST_STEPS
