"""A whole pass, and the timer that makes it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from function_app.reconciler import cycle
from function_app.reconciler.cycle import run_cycle
from function_app.triggers import watch
from shared.errors import PermanentError
from shared.messages import Verdict
from tests.support.durable_client import RuntimeStatus
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.unit.function_app.reconciler.paged_hub import PagedHub


@pytest.fixture
def hub(world: WatchedWorld) -> PagedHub:
    hub = PagedHub()
    world.services.__dict__["hubs"] = hub
    return hub


def the_timer(world: WatchedWorld) -> Callable[..., Any]:
    """The function as the worker would call it, without the durable client's wrapper."""
    [builder] = watch.blueprint(world.services)._function_builders
    function: Callable[..., Any] = builder._function.get_user_function()
    return getattr(function, "__wrapped__", function)


def requests_of(world: WatchedWorld) -> int:
    return sum(table.requests for table in world.ledger._tables.tables.values())  # type: ignore[attr-defined]


def test_an_idle_pass_costs_a_handful_of_requests(
    world: WatchedWorld, hub: PagedHub, caplog: pytest.LogCaptureFixture
) -> None:
    world.has_pipeline(PIPELINE, retrain_every="0 3 * * *")
    hub.lands("a.csv")
    listing = hub.listing(world.services.pipelines.get(PIPELINE))
    world.ledger.listings.mark_decided(PIPELINE, listing.digest, listing.newest)
    asyncio.run(run_cycle(world.services, world.client, world.now))
    before, hub.asked = requests_of(world), []

    with caplog.at_level(logging.INFO):
        asyncio.run(run_cycle(world.services, world.client, world.now))

    assert hub.asked == ["holdout", "page"]
    # windows, queue, runs, subscriptions, schedule, scan, decided listing, troubles, retries, actions
    assert requests_of(world) - before <= 10
    assert world.client.started == []
    [line] = [entry.getMessage() for entry in caplog.records if "cycle over" in entry.getMessage()]
    assert line.startswith("cycle over 1 pipeline in ")
    assert line.endswith(": nothing to do")


def test_one_pass_does_all_that_was_left_undone(world: WatchedWorld, hub: PagedHub) -> None:
    world.has_pipeline("unheard", retrain_every="* * * * *")
    asyncio.run(run_cycle(world.services, world.client, world.now))
    world.client.started.clear()
    _, window = world.arrives()
    run = world.claims(window_id=None)
    world.has_instance(run.run_id, RuntimeStatus.Terminated)
    hub.lands("a.csv")
    world.now += 2 * (world.now - window.opened_at)

    context = asyncio.run(run_cycle(world.services, world.client, world.now))

    assert context.done == {
        "windows resumed": 1,
        "runs finalized": 1,
        "schedules started": 1,
        "windows opened": 1,  # of the other pipeline; this one's open window is told
    }
    assert "windows opened: 1, windows resumed: 1" in context.summary


@pytest.mark.parametrize("step", ["unfinished_windows", "unfinished", "unanswered", "counted", "last_scan"])
def test_a_step_that_fails_does_not_keep_the_others(
    world: WatchedWorld, hub: PagedHub, step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.has_pipeline(PIPELINE, retrain_every="* * * * *")
    asyncio.run(run_cycle(world.services, world.client, world.now))
    world.arrives()
    world.claims()
    hub.lands("a.csv")
    world.now += 2 * (world.now - world.ledger.arrivals.unfinished_windows()[0].opened_at)
    ledger = world.ledger
    owner = next(
        part
        for part in (ledger.arrivals, ledger.runs, ledger.outcome_subscriptions, ledger.schedules, ledger.listings)
        if hasattr(part, step)
    )

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(owner, step, broken)
    with caplog.at_level(logging.INFO):
        context = asyncio.run(run_cycle(world.services, world.client, world.now))

    assert context.failed >= 1  # several steps ask for the runs under way
    assert "the cause:" in caplog.text
    assert context.summary.endswith(f"failed: {context.failed}, see the lines above and GET /api/pipelines")
    expected = {
        "windows resumed": "unfinished_windows",
        "runs started": "unfinished",
        "schedules started": "counted",
    }
    assert set(context.done) >= {what for what, owner_step in expected.items() if owner_step != step}


def test_a_pass_that_takes_longer_than_the_interval_is_not_made_twice(
    world: WatchedWorld, hub: PagedHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    timer, cycles = the_timer(world), []

    async def both() -> None:
        began, may_end = asyncio.Event(), asyncio.Event()

        async def slow(*_: object) -> None:
            cycles.append(1)
            began.set()
            await may_end.wait()

        monkeypatch.setattr(cycle, "run_cycle", slow)
        first = asyncio.create_task(timer(timer=_due(), client=world.client))
        await began.wait()
        assert await timer(timer=_due(), client=world.client) is None
        may_end.set()
        assert await first is None
        await timer(timer=_due(), client=world.client)

    with caplog.at_level(logging.WARNING):
        asyncio.run(both())

    assert cycles == [1, 1]
    assert "still running" in caplog.text


def test_every_arrival_gets_its_verdict_although_its_pipeline_was_taken_away(
    world: WatchedWorld, hub: PagedHub
) -> None:
    world.arrives()
    world.has_file(PIPELINE, None)

    asyncio.run(run_cycle(world.services, world.client, world.now))

    [recorded] = world.ledger.arrivals.list_arrivals(PIPELINE).items
    assert recorded.verdict is Verdict.REJECTED
    with pytest.raises(PermanentError):
        world.services.pipelines.get(PIPELINE)


def _due() -> func.TimerRequest:
    return func.timer.TimerRequest(past_due=True)
