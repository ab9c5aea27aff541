"""Sub-orchestrations and continue-as-new, through the replay of the real SDK."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from tests.unit.functions_host.durable.harness import NOON, Host, Stage, output, reason

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
EARLY_EVENT = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")


@pytest.mark.usefixtures("add_one")
def test_sub_orchestrations_that_succeed_and_fail(stage: Stage) -> None:
    @stage.orchestrator
    def child(context: df.DurableOrchestrationContext) -> Any:
        value = yield context.call_activity("add_one", context.get_input())
        if value < 0:
            raise ValueError(f"{value} is negative")
        return {"value": value, "parent": context._parent_instance_id}

    @stage.orchestrator
    def parent(context: df.DurableOrchestrationContext) -> Any:
        good = yield context.call_sub_orchestrator("child", 41)
        named = yield context.call_sub_orchestrator("child", 1, instance_id="named")
        try:
            yield context.call_sub_orchestrator("child", -9)
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing narrower
            caught = error
        after = yield context.call_activity("add_one", 0)
        return [good["value"], good["parent"] == context.instance_id, named["value"], reason(caught), after]

    async def scenario(host: Host) -> None:
        status = await host.run("parent")
        assert output(status) == [42, True, 2, "Orchestrator function 'child' failed: -8 is negative", 1]
        assert output(await host.hub.get(f"{status.execution_id}:0"))["value"] == 42
        assert output(await host.hub.get("named"))["value"] == 2
        failed = await host.hub.get(f"{status.execution_id}:2")
        assert failed.runtime_status == "Failed"

    stage.play(scenario)


def test_a_failing_sub_orchestration_is_retried_under_new_ids(stage: Stage, flaky: Counter[str]) -> None:
    @stage.orchestrator
    def child(context: df.DurableOrchestrationContext) -> Any:
        return (yield context.call_activity("flaky", {"name": "a", "failures": 1}))

    @stage.orchestrator
    def parent(context: df.DurableOrchestrationContext) -> Any:
        return (yield context.call_sub_orchestrator_with_retry("child", df.RetryOptions(1000, 3)))

    async def scenario(host: Host) -> None:
        instance = await host.start("parent")
        await host.advance(SECOND)
        assert output(await host.hub.get(instance)) == "a done"
        assert flaky["a"] == 2

    stage.play(scenario)


@pytest.mark.usefixtures("add_one")
def test_continue_as_new_over_five_generations(stage: Stage) -> None:
    @stage.orchestrator
    def generations(context: df.DurableOrchestrationContext) -> Any:
        state = context.get_input()
        if state["generation"] == 0:
            context.set_custom_status("set once")
        value = yield context.call_activity("add_one", state["value"])
        yield context.create_timer(context.current_utc_datetime + SECOND)
        if state["generation"] < 4:
            context.continue_as_new({"generation": state["generation"] + 1, "value": value})
            return None
        return value

    async def scenario(host: Host) -> None:
        instance = await host.start("generations", {"generation": 0, "value": 10})
        executions = {(await host.hub.get(instance)).execution_id}
        for _ in range(5):
            await host.advance(SECOND)
            executions.add((await host.hub.get(instance)).execution_id)
        status = await host.hub.get(instance, with_history=True)
        assert output(status) == 15
        assert len(executions) == 5
        assert status.created_at == NOON
        assert json.loads(status.custom_status or "") == "set once"
        assert json.loads(json.loads(status.input or "")) == {"generation": 4, "value": 14}
        assert status.history is not None
        assert [each["Generation"] for each in status.history if each["EventType"] == 0] == [4]

    stage.play(scenario)


@EARLY_EVENT
def test_an_event_after_continue_as_new_reaches_the_next_generation(stage: Stage) -> None:
    @stage.orchestrator
    def two_lives(context: df.DurableOrchestrationContext) -> Any:
        if context.get_input() == "first":
            # The open timer keeps this generation alive after it asked for the next one.
            timer = context.create_timer(context.current_utc_datetime + HOUR)
            yield context.task_any([context.wait_for_external_event("go"), timer])
            context.continue_as_new("second")
            return None
        return (yield context.wait_for_external_event("late"))

    async def scenario(host: Host) -> None:
        instance = await host.start("two_lives", "first")
        await host.send(instance, "late", "lost: nobody waits for it yet")
        await host.send(instance, "go")
        await host.send(instance, "late", "carried")
        await host.advance(HOUR)
        assert output(await host.hub.get(instance)) == "carried"

    stage.play(scenario)


@EARLY_EVENT
@pytest.mark.usefixtures("add_one")
def test_a_wake_up_before_continue_as_new_needs_a_step_in_between(stage: Stage) -> None:
    """Extension issue 2606: an event that beat a canceled timer comes again when continue-as-new follows directly."""

    @stage.orchestrator
    def sleeper(context: df.DurableOrchestrationContext) -> Any:
        state = context.get_input()
        if state["generation"] == 3:
            return state["wakes"]
        timer = context.create_timer(context.current_utc_datetime + HOUR)
        wake = context.wait_for_external_event("wake")
        winner = yield context.task_any([wake, timer])
        woken = 0
        if winner == wake:
            timer.cancel()
            woken = 1
        if state["step_between"]:
            yield context.call_activity("add_one", 1)
        context.continue_as_new(state | {"generation": state["generation"] + 1, "wakes": state["wakes"] + woken})

    async def scenario(host: Host) -> None:
        careless = await host.start("sleeper", {"generation": 0, "wakes": 0, "step_between": False})
        careful = await host.start("sleeper", {"generation": 0, "wakes": 0, "step_between": True})
        for instance in (careless, careful):
            await host.send(instance, "wake")
        for _ in range(3):
            await host.advance(HOUR)
        assert output(await host.hub.get(careless)) == 3
        assert output(await host.hub.get(careful)) == 1

    stage.play(scenario)
