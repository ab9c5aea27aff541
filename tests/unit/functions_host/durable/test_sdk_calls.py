"""Calls of activities, retries and failures, through the replay of the real SDK."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable.history import EventType
from tests.unit.functions_host.durable.harness import Host, Stage, output, reason

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.mark.usefixtures("add_one")
def test_a_chain_with_a_custom_status(stage: Stage) -> None:
    @stage.orchestrator
    def chain(context: df.DurableOrchestrationContext) -> Any:
        value = context.get_input()["from"]
        for step in range(3):
            context.set_custom_status({"step": step})
            value = yield context.call_activity("add_one", value)
        return {"value": value}

    async def scenario(host: Host) -> None:
        status = await host.run("chain", {"from": 5})
        assert status.runtime_status == "Completed"
        assert output(status) == {"value": 8}
        assert json.loads(status.custom_status or "") == {"step": 2}
        assert json.loads(json.loads(status.input or "")) == {"from": 5}
        assert [call for _, call in host.invoker.calls] == [5, 6, 7]

    stage.play(scenario)


@pytest.mark.usefixtures("add_one")
def test_a_fan_out_of_twenty(stage: Stage) -> None:
    @stage.orchestrator
    def fan_out(context: df.DurableOrchestrationContext) -> Any:
        return sum((yield context.task_all([context.call_activity("add_one", n) for n in range(20)])))

    async def scenario(host: Host) -> None:
        assert output(await host.run("fan_out")) == sum(range(1, 21))
        assert len(host.invoker.calls) == 20

    stage.play(scenario)


def test_a_retry_to_success_and_what_follows(stage: Stage, flaky: Counter[str]) -> None:
    @stage.orchestrator
    def retrying(context: df.DurableOrchestrationContext) -> Any:
        options = df.RetryOptions(1000, 5)
        first = yield context.call_activity_with_retry("flaky", options, {"name": "a", "failures": 2})
        second = yield context.call_activity("flaky", {"name": "b", "failures": 0})
        return [first, second]

    async def scenario(host: Host) -> None:
        instance = await host.start("retrying")
        assert flaky["a"] == 1
        await host.advance(SECOND)
        await host.advance(SECOND)
        assert output(await host.hub.get(instance)) == ["a done", "b done"]
        assert flaky == {"a": 3, "b": 1}

    stage.play(scenario)


def test_a_retry_to_exhaustion_and_what_follows(stage: Stage, flaky: Counter[str]) -> None:
    @stage.orchestrator
    def giving_up(context: df.DurableOrchestrationContext) -> Any:
        try:
            yield context.call_activity_with_retry("flaky", df.RetryOptions(1000, 3), {"name": "a", "failures": 99})
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing narrower
            caught = error
        after = yield context.call_activity("flaky", {"name": "b", "failures": 0})
        return [reason(caught), after]

    async def scenario(host: Host) -> None:
        instance = await host.start("giving_up")
        await host.advance(SECOND)
        await host.advance(SECOND)
        status = await host.hub.get(instance)
        assert output(status) == ["Activity function 'flaky' failed:  ValueError: a not yet", "b done"]
        assert flaky == {"a": 3, "b": 1}
        timers = [each for each in await host.events(instance) if each["EventType"] == EventType.TIMER_CREATED]
        assert len(timers) == 3, "one more than there are pauses, due at once"

    stage.play(scenario)


def test_different_retries_side_by_side(stage: Stage, flaky: Counter[str]) -> None:
    failures = {"a": 0, "b": 3, "c": 1, "d": 2}

    @stage.orchestrator
    def side_by_side(context: df.DurableOrchestrationContext) -> Any:
        options = df.RetryOptions(1000, 5)
        calls = [
            context.call_activity_with_retry("flaky", options, {"name": name, "failures": count})
            for name, count in failures.items()
        ]
        answers = yield context.task_all(calls)
        last = yield context.call_activity("flaky", {"name": "e", "failures": 0})
        return [*answers, last]

    async def scenario(host: Host) -> None:
        instance = await host.start("side_by_side")
        for _ in range(3):
            await host.advance(SECOND)
        assert output(await host.hub.get(instance)) == [f"{name} done" for name in "abcde"]
        assert flaky == {"a": 1, "b": 4, "c": 2, "d": 3, "e": 1}

    stage.play(scenario)


@pytest.mark.usefixtures("add_one")
def test_a_fan_out_that_fails_waits_for_its_siblings(stage: Stage, flaky: Counter[str]) -> None:
    @stage.orchestrator
    def compensating(context: df.DurableOrchestrationContext) -> Any:
        try:
            yield context.task_all(
                [
                    context.call_activity("flaky", {"name": "bad", "failures": 9}),
                    context.create_timer(context.current_utc_datetime + HOUR),
                ]
            )
        except Exception:  # noqa: BLE001 - the SDK raises nothing narrower
            undone = yield context.call_activity("add_one", 6)
        return undone

    async def scenario(host: Host) -> None:
        instance = await host.start("compensating")
        assert [name for name, _ in host.invoker.calls] == ["flaky"], "the host starts the next step after the last"
        await host.advance(HOUR)
        assert output(await host.hub.get(instance)) == 7

    stage.play(scenario)


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (ValueError("no data"), "Orchestrator function 'failing' failed: no data"),
        (ValueError(), "Orchestrator function 'failing' failed: <class 'ValueError'>"),
    ],
)
def test_an_orchestrator_that_raises(stage: Stage, raised: Exception, text: str) -> None:
    @stage.orchestrator
    def failing(context: df.DurableOrchestrationContext) -> Any:
        context.set_custom_status("about to fail")
        yield context.create_timer(context.current_utc_datetime)
        raise raised

    async def scenario(host: Host) -> None:
        instance = await host.start("failing")
        await host.advance(SECOND)
        status = await host.hub.get(instance)
        assert (status.runtime_status, output(status)) == ("Failed", text)
        assert json.loads(status.custom_status or "") == "about to fail"

    stage.play(scenario)


def test_an_unknown_activity_fails_the_instance(stage: Stage) -> None:
    @stage.orchestrator
    def misspelt(context: df.DurableOrchestrationContext) -> Any:
        yield context.call_activity("ad_one", 1)

    async def scenario(host: Host) -> None:
        status = await host.run("misspelt")
        assert status.runtime_status == "Failed"
        assert "The function 'ad_one' doesn't exist, is disabled, or is not an activity function." in output(status)

    stage.play(scenario)


def test_a_custom_status_over_the_limit_fails_the_instance(stage: Stage) -> None:
    @stage.orchestrator
    def talkative(context: df.DurableOrchestrationContext) -> Any:
        context.set_custom_status("x" * 8191)
        yield context.create_timer(context.current_utc_datetime)

    async def scenario(host: Host) -> None:
        status = await host.run("talkative")
        assert status.runtime_status == "Failed"
        assert "must not exceed 16 KB" in output(status)

    stage.play(scenario)


def test_is_replaying_is_false_once_for_every_step(stage: Stage, flaky: Counter[str]) -> None:
    seen: list[str] = []

    @stage.orchestrator
    def observed(context: df.DurableOrchestrationContext) -> Any:
        for name in "abc":
            if not context.is_replaying:
                seen.append(name)
            yield context.call_activity("flaky", {"name": name, "failures": 0})
        if not context.is_replaying:
            seen.append("end")

    async def scenario(host: Host) -> None:
        await host.run("observed")
        assert seen == ["a", "b", "c", "end"]

    stage.play(scenario)
