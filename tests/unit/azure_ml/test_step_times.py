"""The steps that a job reports become spans of its run; whatever else it says of itself does not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.clients.azure_ml.reports import STEPS, STEPS_TAG, steps_in, tell_steps
from shared.values.traces import FIELD, TraceContext
from site_agent.job import step_times
from site_agent.job.step_times import StepTimes, trace_of
from tests.support.telemetry import Told, ids, telling

PARENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
CANARY = "Hedwig-Schneider-1958"


@pytest.fixture
def told() -> Iterator[Told]:
    with telling() as kept:
        yield kept


def test_what_the_job_measures_the_app_tells_once(told: Told) -> None:
    times = StepTimes()
    with times.step("data"):
        pass
    with pytest.raises(ValueError, match="x"), times.step("train"):
        raise ValueError("x")
    tags = {FIELD: PARENT.text, **times.tag}

    tell_steps(tags, "r-1", "diabetes")
    tell_steps(tags, "r-1", "diabetes")

    assert told.names == ["job data", "job train"] * 2
    assert len({ids(span) for span in told.spans}) == 2
    assert {ids(span)[::2] for span in told.spans} == {(PARENT.trace_id, PARENT.span_id)}
    assert (told.spans[1].attributes or {})["edgetrain.step"] == "train"


def test_both_sides_call_the_tag_the_same() -> None:
    assert step_times.STEPS_TAG == STEPS_TAG
    assert len(json.dumps([("champion", 1790000000.123, 1790000000.123)] * step_times.MOST)) < 1000


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{",
        "7",
        "null",
        "[7]",
        '[["train", 1]]',
        '[["train", 2, 1]]',
        '[["train", "1", 2]]',
        '[["train", true, 2]]',
        '[["train", NaN, Infinity]]',
        '[["train", -1, 2]]',
        '[["train", 1, 1e300]]',
        f'[["{CANARY}", 1, 2]]',
        f'[[["train"], 1, 2], ["{CANARY}", 1, 2]]',
        "[" * 100_000,
    ],
    ids=lambda said: said[:20],
)
def test_what_is_no_step_is_left_out(told: Told, said: str) -> None:
    tell_steps({FIELD: PARENT.text, STEPS_TAG: said}, "r-1", "diabetes")

    assert told.names == []


@pytest.mark.parametrize("traceparent", ["", "no", None, 7])
def test_a_run_without_a_trace_has_no_spans(told: Told, traceparent: Any) -> None:
    tags = {FIELD: traceparent, STEPS_TAG: '[["train", 1, 2]]'}

    tell_steps(tags, "r-1", "diabetes")

    assert told.names == []
    assert [name for name, _, _ in steps_in(tags)] == ["train"]


def test_a_job_cannot_report_without_end() -> None:
    assert len(steps_in({STEPS_TAG: json.dumps([["train", 1, 2]] * 10_000)})) <= 20
    assert "train" in STEPS


@pytest.mark.parametrize(
    ("said", "noted"), [(PARENT.text, PARENT.text), ("", "none"), (f"{PARENT.text}\nforged", "none"), (CANARY, "none")]
)
def test_the_log_on_the_vm_names_the_trace(said: str, noted: str) -> None:
    assert trace_of({"TRACEPARENT": said}) == noted
