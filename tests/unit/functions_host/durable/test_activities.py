"""Activities: how many run at once, and what becomes of them when the instance or the hub ends."""

import asyncio
import json
from datetime import timedelta

import pytest

from local_stack.functions_host.durable.history import EventType
from local_stack.functions_host.durable.interfaces import (
    HubOptions,
    InstanceGoneError,
)
from local_stack.functions_host.durable.task_hub import TaskHub
from tests.unit.functions_host.durable.harness import (
    Gate,
    Host,
    Stage,
    hosted,
    open_gate,
    output,
    started,
)

SECOND = timedelta(seconds=1)


def test_terminate_drops_the_results_of_what_still_runs(stage: Stage, gate: Gate) -> None:
    async def scenario(host: Host) -> None:
        instance = await host.hub.start_new("gated", None, json.dumps("3"))
        await started(gate, 1)
        await host.hub.terminate(instance, "enough")
        status = await host.hub.ended(instance)
        assert (status.runtime_status, output(status)) == ("Terminated", "enough")
        await open_gate(gate, host)
        assert len(host.invoker.calls) == 1, "what had not begun never begins"
        kinds = [each["EventType"] for each in await host.events(instance)]
        assert EventType.TASK_COMPLETED not in kinds
        with pytest.raises(InstanceGoneError):
            await host.hub.raise_event(instance, "e", None)
        with pytest.raises(InstanceGoneError):
            await host.hub.terminate(instance, "twice")

    stage.play(scenario, HubOptions(max_activities=1))


def test_no_more_activities_run_at_once_than_allowed(stage: Stage, gate: Gate) -> None:
    async def scenario(host: Host) -> None:
        instance = await host.hub.start_new("gated", None, json.dumps("10"))
        await started(gate, 3)
        assert host.hub.metrics()["activities_queued"] == 7
        await open_gate(gate, host)
        assert gate.most == 3
        assert output(await host.hub.ended(instance)) == list(range(10))

    stage.play(scenario, HubOptions(max_activities=3))


def test_an_activity_cut_off_by_a_stop_runs_again(stage: Stage, gate: Gate) -> None:
    async def scenario() -> None:
        async with hosted(stage.invoker, stage.path) as host:
            await host.hub.start_new("gated", "i", json.dumps("1"))
            await started(gate, 1)
            await host.hub.stop(timedelta(0))
            second = TaskHub(stage.path, stage.invoker, HubOptions())
            await second.start()
            gate.opened.set()
            assert output(await second.ended("i")) == [0]
            assert len(host.invoker.calls) == 2
            await second.stop(SECOND)

    asyncio.run(scenario())


def test_a_stop_waits_for_running_activities(stage: Stage, gate: Gate) -> None:
    async def before(host: Host) -> None:
        await host.hub.start_new("gated", "i", json.dumps("1"))
        await started(gate, 1)
        asyncio.get_running_loop().call_later(0.01, gate.opened.set)

    async def after(host: Host) -> None:
        assert output(await host.hub.get("i")) == [0]
        assert len(host.invoker.calls) == 1

    stage.play(before)
    stage.play(after)
