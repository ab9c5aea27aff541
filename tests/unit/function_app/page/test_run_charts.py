"""The stages and the canary of a run as charts."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from function_app.api.models import RunView
from function_app.page.screens.run_charts import canary_chart, stages_chart
from function_app.page.screens.run_places import Step
from function_app.page.screens.run_stages import Span
from function_app.page.texts import Words
from shared.messages import CanaryVerdict, Outcome

NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)
WORDS, DUTCH = Words("en", UTC, NOW), Words("nl", UTC, NOW)


def a_span(stage: str, began: int | None, ended: int | None, *, here: bool = False) -> Span:
    """With minutes before now."""
    times: dict[str, Any] = {
        name: NOW - timedelta(minutes=at) for name, at in (("began", began), ("ended", ended)) if at is not None
    }
    seconds = None if began is None else (began - (ended or 0)) * 60.0
    return Span(stage=stage, here=here, seconds=seconds, **times)


def stages(outcome: Outcome | None, *spans: Span, words: Words = WORDS) -> list[tuple[str, ...]]:
    run = cast("RunView", SimpleNamespace(outcome=outcome, ended_at=None if outcome is None else NOW))
    chart = stages_chart(spans, run, words)
    assert chart is not None
    return [row.cells for row in chart.table.rows]


def test_a_run_under_way_has_waited_goes_on_and_has_more_to_come() -> None:
    found = stages(None, a_span("waiting", 9, 5), a_span("training", 5, None, here=True), a_span("judging", None, None))

    assert found == [
        ("waiting for the machine", "waited", "4 mins"),
        ("training", "under way", "5 mins"),
        ("being judged", "to come", ""),
    ]


@pytest.mark.parametrize("outcome", Outcome)
def test_a_run_that_ended_badly_ended_in_its_last_stage(outcome: Outcome) -> None:
    found = stages(outcome, a_span("waiting", 9, 8), a_span("training", 8, 0, here=True))

    badly = outcome in {Outcome.FAILED, Outcome.ROLLED_BACK}
    assert [cells[1] for cells in found] == ["waited", "ended here" if badly else "done"]


def test_stages_are_named_in_the_readers_language_and_unknown_ones_as_they_are() -> None:
    found = stages(None, a_span("training", 8, 2), a_span("of tomorrow", 2, None, here=True), words=DUTCH)

    assert [cells[0] for cells in found] == ["traint", "of tomorrow"]


@pytest.mark.parametrize("verdict", CanaryVerdict)
def test_after_a_verdict_the_model_goes_on_or_back(verdict: CanaryVerdict) -> None:
    steps = [
        Step(weight=10, verdict=verdict.value, counted=True, requests=40, errors=3, stable_requests=400),
        Step(weight=30, verdict="", going=True, counted=True, requests=2),
        Step(weight=50, verdict="", to_come=True),
    ]
    chart = canary_chart("vm", steps, 20, WORDS)
    assert chart is not None
    goes_on = {CanaryVerdict.PASSED: "passed", CanaryVerdict.INCONCLUSIVE: "too few requests"}

    assert [row.cells[1] for row in chart.table.rows] == [goes_on.get(verdict, "went back"), "under way", "to come"]
    assert "2 of 20 requests" in chart.svg


def test_without_steps_or_stages_there_is_no_chart() -> None:
    run = cast("RunView", SimpleNamespace(outcome=None, ended_at=None))

    assert canary_chart("vm", [], 20, WORDS) is None
    assert stages_chart((), run, WORDS) is None
