"""What failed for trouble outside is asked for again, ever more seldom, until it was tried or is given up."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from activities.record_run import record_run
from function_app.reconciler.retries import try_again
from shared.decisions.training.retry_schedule import RUN_RETRY_PAUSES
from shared.messages import AdmissionRequest, Cause, FailureKind, Outcome, RunRequest, Verdict
from shared.values.wire import from_wire
from tests.support.durable_client import RuntimeStatus
from tests.support.reconciler import WatchedWorld
from tests.support.workflow import START

FIRST = RUN_RETRY_PAUSES[0]
ANSWERED = {"admission": {"start": True, "run_id": "r", "verdict": Verdict.TRAINED.value, "reason": ""}}


def a_failed_run(world: WatchedWorld, kind: FailureKind = FailureKind.OUTSIDE, **changes: object) -> RunRequest:
    run = world.claims(**changes)
    record = world.ledger.runs.run(run.run_id)
    assert record is not None
    ledger = world.ledger
    record_run(
        replace(record, outcome=Outcome.FAILED, failure_kind=kind, job_failed=kind.counts, ended_at=START),
        runs=ledger.runs,
        champions=ledger.champions,
        listings=ledger.listings,
        quarantines=ledger.quarantines,
        retries=ledger.retries,
    )
    return run


def asked(world: WatchedWorld, run: RunRequest) -> AdmissionRequest:
    assert world.started(f"again-{run.run_id}") == "request_run"
    return from_wire(AdmissionRequest, world.client.instances[f"again-{run.run_id}"].given)


def test_a_run_that_failed_for_trouble_outside_is_asked_for_again_when_its_time_has_come(world: WatchedWorld) -> None:
    run = a_failed_run(world, cause=Cause.SCHEDULE, note="nightly")
    assert world.ledger.retries.planned(run.run_id) == START + FIRST

    world.now = START + FIRST - timedelta(seconds=1)
    world.cycle(try_again)
    assert world.client.started == []

    world.now = START + FIRST
    context, _ = world.cycle(try_again)
    request = asked(world, run)
    assert (request.pipeline, request.cause, request.note) == (run.pipeline, Cause.SCHEDULE, "nightly")
    assert (request.parameters, request.force) == ({}, False)
    assert context.done == {"failed runs tried again": 1}


def test_a_trial_is_asked_for_again_with_its_own_parameters(world: WatchedWorld) -> None:
    run = a_failed_run(world, parameters={"depth": 3}, own_parameters=True, forced=True)
    world.now = START + FIRST

    world.cycle(try_again)

    assert (asked(world, run).parameters, asked(world, run).force) == ({"depth": 3}, True)


@pytest.mark.parametrize("kind", [FailureKind.DATA, FailureKind.CODE, FailureKind.UNKNOWN])
def test_what_failed_for_something_else_is_not(world: WatchedWorld, kind: FailureKind) -> None:
    run = a_failed_run(world, kind)

    assert world.ledger.retries.planned(run.run_id) is None


def test_what_was_answered_is_forgotten_and_never_asked_again(world: WatchedWorld) -> None:
    run = a_failed_run(world)
    world.now = START + FIRST
    world.cycle(try_again)
    world.client.started.clear()
    world.has_instance(f"again-{run.run_id}", RuntimeStatus.Completed, custom_status=ANSWERED)

    for _ in range(50):
        world.now += timedelta(hours=1)
        world.cycle(try_again)

    assert world.client.started == []
    assert world.ledger.retries.all() == []


def test_what_somebody_else_tried_meanwhile_is_forgotten(world: WatchedWorld) -> None:
    run = a_failed_run(world)
    world.claims(run_id=f"{run.run_id[:-1]}2", attempt=2, requested_by="by hand")
    world.now = START + FIRST

    world.cycle(try_again)

    assert world.client.started == []
    assert world.ledger.retries.all() == []


def test_a_request_that_is_under_way_is_left_alone(world: WatchedWorld) -> None:
    run = a_failed_run(world)
    world.now = START + FIRST
    world.cycle(try_again)
    world.client.started.clear()
    world.has_instance(f"again-{run.run_id}", RuntimeStatus.Running)
    world.now += timedelta(minutes=2)

    world.cycle(try_again)

    assert world.client.started == []


def test_requests_that_fail_themselves_are_made_ever_more_seldom_and_come_to_an_end(
    world: WatchedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    run = a_failed_run(world)
    made, began = [], world.now

    while world.now < began + timedelta(days=3):
        world.cycle(try_again)
        if world.client.started:
            made.append(world.now)
            world.client.started.clear()
            failed = {"failed": "the hub does not answer"}
            world.has_instance(f"again-{run.run_id}", RuntimeStatus.Completed, custom_status=failed)
        world.now += timedelta(minutes=5)

    gaps = [after - before for before, after in pairwise(made)]
    assert gaps == sorted(set(gaps))
    assert len(made) == len(RUN_RETRY_PAUSES)
    assert world.ledger.retries.all() == []
    assert "is not tried again" in caplog.text


def test_a_run_that_was_cancelled_while_it_failed_is_not_tried_again(world: WatchedWorld) -> None:
    run = world.claims()
    record = world.ledger.runs.run(run.run_id)
    assert record is not None
    world.ledger.retries.plan(run.run_id, run.pipeline, START + FIRST)
    world.ledger.runs.record_run(replace(record, outcome=Outcome.CANCELLED, ended_at=START))

    world.now = START + FIRST
    world.cycle(try_again)

    assert world.client.started == []
    assert world.ledger.retries.planned(run.run_id) is None
