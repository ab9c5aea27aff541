"""A run asks first whether what it needs is there."""

from typing import Any

import pytest

from shared.errors import Code
from shared.messages import (
    DELIVERY_SCHEMA,
    PREFLIGHT_SCHEMA,
    Done,
    FailureKind,
    FrozenJob,
    Outcome,
    Preflight,
    RunRecord,
    Stage,
)
from shared.values.wire import from_wire
from tests.support.builders import a_plan, a_snapshot
from tests.support.retraining import fair_story
from tests.support.workflow import Played, refusal, value

REASON = "hub.list of site factory: the credentials are refused; make the signature anew"


def asked(answer: Any = None, **request: Any) -> tuple[Played, RunRecord]:
    return fair_story({"schema": PREFLIGHT_SCHEMA} | request, preflight=answer or value(Done()))


def test_it_asks_about_its_own_site_compute_and_code_before_it_waits() -> None:
    job = FrozenJob(folder="breast_cancer", tree="ab" * 32)
    run, record = asked(plan=a_plan(job=job), snapshot=a_snapshot(holdout="new rows"))

    assert record.outcome is Outcome.PROMOTED
    [command] = run.commands["preflight"]
    order = from_wire(Preflight, command)
    assert (order.run_id, order.pipeline, order.job) == (record.run_id, record.pipeline, job)
    assert (order.site, order.compute) == (a_snapshot().site, a_plan().compute)
    assert run.asked.index("announce") < run.asked.index("preflight") < run.asked.index("await_compute")


def test_what_is_wrong_ends_it_with_the_remedy_and_counts_against_nobody() -> None:
    run, record = asked(refusal(Code.NOT_READY, REASON))

    assert (record.outcome, record.failure_kind, record.stage) == (Outcome.FAILED, FailureKind.OUTSIDE, Stage.ACCEPTED)
    assert record.reason.startswith(f"preflight: {REASON}; the app tries the run again by itself")
    assert not record.job_failed
    assert not {"await_compute", "await_training", "release_compute"} & set(run.asked)


@pytest.mark.parametrize(
    "answer", [Exception("no answer"), refusal(Code.BAD_CONFIGURATION, "the settings are unreadable")]
)
def test_a_question_that_fails_stops_no_run(answer: Any) -> None:
    _, record = asked(answer)

    assert record.outcome is Outcome.PROMOTED


@pytest.mark.parametrize("request_", [{"schema": DELIVERY_SCHEMA}, {"resumed": True}, {"continues": "a-run-1"}])
def test_runs_from_before_and_runs_that_have_trained_do_not_ask(request_: dict[str, Any]) -> None:
    run, _ = asked(**request_)

    assert "preflight" not in run.asked
