import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.due_schedules import request_of, start_due
from shared.decisions.reconciliation.schedules import Counted
from shared.messages import AdmissionRequest, Cause
from shared.values.wire import from_wire
from tests.support.durable_client import Instance, MemoryClient
from tests.support.reconciler import PIPELINE, WatchedWorld

EVENING, NIGHT = datetime(2026, 5, 1, 20, tzinfo=UTC), datetime(2026, 5, 2, 3, tzinfo=UTC)


@pytest.fixture
def daily(world: WatchedWorld) -> WatchedWorld:
    world.has_pipeline(PIPELINE, retrain_every="0 3 * * *")
    world.now = EVENING
    world.cycle(start_due)  # the first sight: it counts from here
    return world


def test_the_first_sight_of_a_schedule_fires_nothing(daily: WatchedWorld) -> None:
    assert daily.client.started == []
    daily.now = NIGHT - timedelta(seconds=1)
    daily.cycle(start_due)
    assert daily.client.started == []


def test_a_due_time_starts_one_request(daily: WatchedWorld) -> None:
    daily.now = NIGHT + timedelta(seconds=40)

    context, _ = daily.cycle(start_due)

    assert daily.started(f"schedule-{PIPELINE}-20260502T0300") == "request_run"
    request = from_wire(AdmissionRequest, daily.client.instances[daily.client.started[0]].given)
    assert (request.pipeline, request.cause) == (PIPELINE, Cause.SCHEDULE)
    assert request.requested_by == daily.client.started[0]
    assert request.note == "retrain_every 0 3 * * *, due 2026-05-02 03:00 UTC"
    assert context.done == {"schedules started": 1}


def test_later_cycles_start_it_no_more_even_when_it_has_ended(daily: WatchedWorld) -> None:
    daily.now = NIGHT
    daily.cycle(start_due)
    daily.client.ended(daily.client.started[0], {"admission": {}})
    for _ in range(10):
        daily.now += timedelta(minutes=2)
        daily.cycle(start_due)

    assert len(daily.client.started) == 1


def test_what_was_due_while_the_app_was_away_is_made_up_once(daily: WatchedWorld) -> None:
    daily.now = NIGHT + timedelta(days=5, hours=4)
    daily.cycle(start_due)
    daily.now += timedelta(minutes=2)
    daily.cycle(start_due)

    assert daily.client.started == [f"schedule-{PIPELINE}-20260507T0300"]


def test_a_changed_schedule_counts_from_when_it_is_seen(daily: WatchedWorld) -> None:
    daily.has_pipeline(PIPELINE, retrain_every="0 21 * * *")
    daily.now = EVENING + timedelta(hours=2)
    daily.cycle(start_due)

    assert daily.client.started == []


class SlowClient(MemoryClient):
    """Lets every host ask before any of them starts something, which is as bad as it can be."""

    async def get_status(self, instance_id: str) -> Instance:
        status = await super().get_status(instance_id)
        for _ in range(50):
            await asyncio.sleep(0)
        return status


def test_two_hosts_fire_once(daily: WatchedWorld) -> None:
    daily.now = NIGHT
    daily.client = SlowClient()
    cycles = [CycleContext(daily.services, daily.client, daily.now) for _ in range(2)]

    async def both() -> None:
        await asyncio.gather(*map(start_due, cycles))

    asyncio.run(both())

    assert len(daily.client.started) == 1
    assert [context.failed for context in cycles] == [0, 0]


class DyingClient(MemoryClient):
    """A host that dies when it would start something."""

    async def start_new(self, name: str, instance_id: str, given: Any) -> str:
        raise ConnectionError("killed")


def test_a_due_time_whose_claimer_died_is_started_by_the_next_pass(daily: WatchedWorld) -> None:
    daily.now = NIGHT
    context = CycleContext(daily.services, DyingClient(), daily.now)
    asyncio.run(start_due(context))
    assert context.failed == 1

    daily.now += timedelta(minutes=2)
    daily.cycle(start_due)

    assert daily.client.started == [f"schedule-{PIPELINE}-20260502T0300"]
    counted = daily.ledger.schedules.counted(PIPELINE)
    assert counted is not None
    assert counted.started


def test_one_pipelines_trouble_does_not_keep_the_others(daily: WatchedWorld) -> None:
    daily.has_pipeline("other", retrain_every="0 3 * * *")
    daily.cycle(start_due)
    daily.now = NIGHT
    keep = daily.ledger.schedules.counted

    def broken(pipeline: str) -> Counted | None:
        if pipeline == PIPELINE:
            raise RuntimeError("a row that nobody can read")
        return keep(pipeline)

    daily.ledger.schedules.counted = broken  # type: ignore[method-assign]
    context, _ = daily.cycle(start_due)

    assert daily.client.started == ["schedule-other-20260502T0300"]
    assert context.failed == 1


def test_a_pipeline_without_a_schedule_costs_nothing(world: WatchedWorld) -> None:
    tables = world.ledger._tables.tables  # type: ignore[attr-defined]
    before = sum(table.requests for table in tables.values())

    world.cycle(start_due)

    assert sum(table.requests for table in tables.values()) == before


def test_the_request_is_the_same_whenever_it_is_made() -> None:
    counted = Counted(cron="0 3 * * *", last=NIGHT, claimed_at=NIGHT)

    assert request_of("p", counted) == request_of("p", counted)
    assert request_of("p", counted).requested_at == NIGHT
