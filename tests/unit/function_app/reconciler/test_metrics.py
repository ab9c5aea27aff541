"""Metrics of runs and releases: from the ledger, each run once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.metrics import LAG, tell_metrics
from shared.messages import (
    FailureKind,
    ObservedRelease,
    Outcome,
    ReleaseState,
    RunRecord,
    Serving,
    Stage,
    first_record,
)
from tests.support.builders import a_run_request
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.support.telemetry import Told, telling

CANARY = "Hedwig-Schneider-1958"


@pytest.fixture
def told() -> Iterator[Told]:
    with telling() as kept:
        yield kept


def ended(world: WatchedWorld, number: int = 1, **changes: Any) -> tuple[RunRecord, datetime]:
    """A run in the ledger, and when it ended."""
    request = replace(a_run_request(), run_id=f"{PIPELINE}-{number:012x}-1", requested_by=f"window-{number}")
    asked = request.requested_at
    world.ledger.runs.claim_run(request)
    record = replace(
        first_record(request),
        outcome=Outcome.PROMOTED,
        reason=CANARY,
        note=CANARY,
        metrics={CANARY: 0.5},
        newest=asked - timedelta(seconds=30),
        ended_at=asked + timedelta(seconds=300),
        seconds=300.0,
        reached={
            Stage.WAITING.value: asked,
            Stage.TRAINING.value: asked + timedelta(seconds=40),
            Stage.JUDGING.value: asked + timedelta(seconds=140),
        },
    )
    record = replace(record, **changes)
    world.ledger.runs.record_run(record)
    return record, asked + timedelta(seconds=300)


def cycle(world: WatchedWorld) -> None:
    async def step(context: CycleContext) -> None:
        context.had_runs = world.ledger.runs.pipelines()
        await tell_metrics(context)

    context, _ = world.cycle(step)
    assert not context.failed


def passing(world: WatchedWorld) -> None:
    """A cycle before the runs, and one after."""
    world.ledger.upkeep.note("metrics", world.now - timedelta(hours=2))
    cycle(world)


def test_a_run_is_counted_once_with_its_times(world: WatchedWorld, told: Told) -> None:
    record, end = ended(world)
    world.now = end + LAG

    passing(world)
    cycle(world)
    world.now += timedelta(minutes=2)
    cycle(world)

    points = told.metrics()
    (runs,) = points["edgetrain.runs"]
    assert runs.value == 1
    assert runs.attributes == {
        "edgetrain.pipeline": PIPELINE,
        "edgetrain.outcome": "promoted",
        "edgetrain.cause": record.cause.value,
    }
    sums = {name: [point.sum for point in points[f"edgetrain.run.{name}"]] for name in ("queue", "training", "live")}
    assert sums == {"queue": [40.0], "training": [100.0], "live": [330.0]}
    assert [point.value for point in points["edgetrain.runs.unfinished"]] == [0]
    assert CANARY not in told.text


def test_a_run_that_has_just_ended_waits_for_the_next_cycle(world: WatchedWorld, told: Told) -> None:
    _, end = ended(world, outcome=Outcome.FAILED, failure_kind=FailureKind.DATA, newest=None)
    world.now = end
    passing(world)
    assert "edgetrain.runs" not in told.metrics()

    world.now += LAG
    cycle(world)

    (runs,) = told.metrics()["edgetrain.runs"]
    assert (runs.value, runs.attributes["edgetrain.error"]) == (1, "data")
    assert "edgetrain.run.live" not in told.metrics()


def test_what_ended_before_metrics_were_sent_is_not_counted(world: WatchedWorld, told: Told) -> None:
    _, end = ended(world)
    world.now = end + timedelta(hours=1)

    cycle(world)

    assert "edgetrain.runs" not in told.metrics()


def test_releases_are_told_as_they_were_seen_last(world: WatchedWorld, told: Told) -> None:
    ended(world)
    release = ObservedRelease(
        run_id="r-1", image="x", state=ReleaseState.HEALTHY, weight=100, requests=17, errors=2, trouble=CANARY
    )
    seen = Serving(target="hub-vm", pipeline=PIPELINE, releases=(release,))
    world.ledger.targets.saw(seen, at=world.now)

    cycle(world)

    points = told.metrics()
    assert [point.value for point in points["edgetrain.release.requests"]] == [17]
    assert points["edgetrain.release.requests"][0].attributes == {
        "edgetrain.pipeline": PIPELINE,
        "edgetrain.target": "hub-vm",
        "edgetrain.run_id": "r-1",
    }
    assert CANARY not in told.text


def test_where_no_metrics_are_sent_nothing_is_read(world: WatchedWorld) -> None:
    cycle(world)

    assert world.ledger.upkeep.last("metrics") is None
