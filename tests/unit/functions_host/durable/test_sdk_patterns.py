"""Every pattern the app uses, through the replay of the real SDK."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable.history import EventType
from tests.unit.functions_host.durable.harness import NOON, Host, Stage, output, reason

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
EARLY_EVENT = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")


@pytest.fixture
def add_one(stage: Stage) -> None:
    @stage.activity
    def add_one(value: int) -> int:
        return value + 1


@pytest.fixture
def flaky(stage: Stage) -> Counter[str]:
    """An activity that fails as often as its input says, and counts its calls by name."""
    calls: Counter[str] = Counter()

    @stage.activity
    def flaky(value: dict[str, Any]) -> str:
        calls[value["name"]] += 1
        if calls[value["name"]] <= value["failures"]:
            raise ValueError(f"{value['name']} not yet")
        return f"{value['name']} done"

    return calls


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
@pytest.mark.usefixtures("add_one")
def test_two_early_events_give_the_later_one_twice_as_on_the_real_host(stage: Stage) -> None:
    """SDK issue 507: what came before a wait is remembered one per name and never forgotten."""

    @stage.orchestrator
    def late_reader(context: df.DurableOrchestrationContext) -> Any:
        yield context.create_timer(context.current_utc_datetime + SECOND)
        first = yield context.wait_for_external_event("news")
        second = yield context.wait_for_external_event("news")
        return [first, second]

    async def scenario(host: Host) -> None:
        instance = await host.start("late_reader")
        await host.send(instance, "news", 1)
        await host.send(instance, "news", 2)
        await host.advance(SECOND)
        assert output(await host.hub.get(instance)) == [2, 2]

    stage.play(scenario)


def test_events_in_a_row_reach_one_wait_each(stage: Stage) -> None:
    @stage.orchestrator
    def reader(context: df.DurableOrchestrationContext) -> Any:
        first = yield context.wait_for_external_event("news")
        second = yield context.wait_for_external_event("news")
        third = yield context.wait_for_external_event("news")
        return [first, second, third]

    async def scenario(host: Host) -> None:
        instance = await host.start("reader")
        for number in range(3):
            await host.send(instance, "news", {"number": number})
        assert output(await host.hub.get(instance)) == [{"number": 0}, {"number": 1}, {"number": 2}]

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
