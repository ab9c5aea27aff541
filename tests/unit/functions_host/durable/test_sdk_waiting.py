"""Timers and events, through the replay of the real SDK."""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable.history import EventType
from tests.unit.functions_host.durable.harness import NOON, Host, Stage, output

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
EARLY_EVENT = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")


@pytest.fixture
def race(stage: Stage) -> None:
    @stage.orchestrator
    def race(context: df.DurableOrchestrationContext) -> Any:
        timer = context.create_timer(context.current_utc_datetime + HOUR)
        approval = context.wait_for_external_event("approval")
        winner = yield context.task_any([approval, timer])
        if winner is timer:
            return "timeout"
        if approval.result["cancel"]:
            timer.cancel()
        return "approved"


@pytest.mark.usefixtures("race")
def test_an_event_that_beats_a_canceled_timer_ends_the_instance(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        instance = await host.start("race")
        await host.send(instance, "Approval", {"cancel": True})  # the host ignores case, but the SDK would not
        assert (await host.hub.get(instance)).runtime_status == "Running"
        await host.send(instance, "approval", {"cancel": True})
        status = await host.hub.get(instance)
        assert (status.runtime_status, output(status)) == ("Completed", "approved")

    with pytest.warns(UserWarning, match="Potential duplicate"):
        stage.play(scenario)


@pytest.mark.usefixtures("race")
def test_an_uncanceled_timer_keeps_the_instance_running(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        instance = await host.start("race")
        await host.send(instance, "approval", {"cancel": False})
        assert (await host.hub.get(instance)).runtime_status == "Running"
        await host.advance(HOUR)
        assert output(await host.hub.get(instance)) == "approved"

    stage.play(scenario)


@pytest.mark.usefixtures("race")
def test_a_timer_that_beats_the_event(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        instance = await host.start("race")
        await host.advance(HOUR - timedelta(microseconds=1))
        assert (await host.hub.get(instance)).runtime_status == "Running"
        await host.advance(timedelta(microseconds=1))
        assert output(await host.hub.get(instance)) == "timeout"

    stage.play(scenario)


@EARLY_EVENT
@pytest.mark.usefixtures("add_one")
def test_two_early_events_give_the_later_one_twice_as_on_the_real_host(stage: Stage) -> None:
    """SDK issue 507: what came before a wait is remembered one per name and never forgotten."""

    @stage.orchestrator
    def late_reader(context: df.DurableOrchestrationContext) -> Any:
        yield context.create_timer(context.current_utc_datetime + SECOND)
        first = yield context.wait_for_external_event("event")
        second = yield context.wait_for_external_event("event")
        return [first, second]

    async def scenario(host: Host) -> None:
        instance = await host.start("late_reader")
        await host.send(instance, "event", 1)
        await host.send(instance, "event", 2)
        await host.advance(SECOND)
        assert output(await host.hub.get(instance)) == [2, 2]

    stage.play(scenario)


def test_events_in_a_row_reach_one_wait_each(stage: Stage) -> None:
    @stage.orchestrator
    def reader(context: df.DurableOrchestrationContext) -> Any:
        first = yield context.wait_for_external_event("event")
        second = yield context.wait_for_external_event("event")
        third = yield context.wait_for_external_event("event")
        return [first, second, third]

    async def scenario(host: Host) -> None:
        instance = await host.start("reader")
        for number in range(3):
            await host.send(instance, "event", {"number": number})
        assert output(await host.hub.get(instance)) == [{"number": 0}, {"number": 1}, {"number": 2}]

    stage.play(scenario)


def test_a_long_timer_goes_in_pieces(stage: Stage) -> None:
    day = timedelta(days=1)

    @stage.orchestrator
    def patient(context: df.DurableOrchestrationContext) -> Any:
        yield context.create_timer(context.current_utc_datetime + 10 * day)
        return context.current_utc_datetime.isoformat()

    async def scenario(host: Host) -> None:
        instance = await host.start("patient")
        for _ in range(9):
            await host.advance(day)
        assert (await host.hub.get(instance)).runtime_status == "Running"
        await host.advance(day)
        assert output(await host.hub.get(instance)) == (NOON + 10 * day).isoformat()
        created = [each for each in await host.events(instance) if each["EventType"] == EventType.TIMER_CREATED]
        assert [each["FireAt"][:10] for each in created] == ["2026-05-04", "2026-05-07", "2026-05-11"]

    stage.play(scenario)
