"""What callers can do to instances, and how the hub behaves around them."""

import asyncio
import json
import sqlite3
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable.database import Database
from local_stack.functions_host.durable.history import EventType
from local_stack.functions_host.durable.interfaces import (
    HubInUseError,
    HubOptions,
    InstanceConflictError,
    InstanceGoneError,
    InstanceNotFoundError,
    InvalidInstanceIdError,
    UnknownFunctionError,
)
from local_stack.functions_host.durable.task_hub import TaskHub
from tests.unit.functions_host.durable.harness import Clock, Host, Stage, hosted, output, reason

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@dataclass
class Gate:
    """Keeps activities inside until it is opened, and counts how many were in at once."""

    opened: asyncio.Event
    inside: int = 0
    most: int = 0

    async def passing(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.opened.wait()
        self.inside -= 1


@pytest.fixture
def gate(stage: Stage) -> Gate:
    gate = Gate(asyncio.Event())

    @stage.activity
    async def pass_gate(value: Any) -> Any:
        await gate.passing()
        return value

    @stage.orchestrator
    def gated(context: df.DurableOrchestrationContext) -> Any:
        width = context.get_input()
        return (yield context.task_all([context.call_activity("pass_gate", n) for n in range(width)]))

    return gate


@pytest.fixture
def collector(stage: Stage) -> None:
    """Waits for two events or an hour each, and gives what it saw."""

    @stage.orchestrator
    def collector(context: df.DurableOrchestrationContext) -> Any:
        seen = []
        for name in ("first", "second"):
            timer = context.create_timer(context.current_utc_datetime + HOUR)
            news = context.wait_for_external_event(name)
            if (yield context.task_any([timer, news])) == news:
                timer.cancel()
                seen.append(news.result)
            else:
                seen.append("timeout")
        return seen


async def started(gate: Gate, count: int) -> None:
    async with asyncio.timeout(10):
        while gate.inside < count:  # noqa: ASYNC110 - there may be any number of them
            await asyncio.sleep(0)


async def open_gate(gate: Gate, host: Host) -> None:
    gate.opened.set()
    await host.settle()


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


@pytest.mark.usefixtures("collector")
def test_the_parent_of_a_terminated_instance_hears_of_it(stage: Stage) -> None:
    @stage.orchestrator
    def parent(context: df.DurableOrchestrationContext) -> Any:
        try:
            yield context.call_sub_orchestrator("collector", None, instance_id="child")
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing narrower
            return reason(error)

    async def scenario(host: Host) -> None:
        instance = await host.start("parent")
        await host.hub.terminate("child", "enough")
        await host.settle()
        assert output(await host.hub.get(instance)) == "enough"

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_an_id_is_free_again_once_its_instance_has_ended(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        await host.start("collector", instance_id="i")
        first = await host.hub.get("i")
        with pytest.raises(InstanceConflictError):
            await host.start("collector", instance_id="i")
        await host.hub.terminate("i", "make room")
        await host.settle()
        await host.start("collector", instance_id="i")
        second = await host.hub.get("i", with_history=True)
        assert second.runtime_status == "Running"
        assert second.execution_id != first.execution_id
        assert second.output is None

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_a_child_with_the_id_of_a_running_instance_fails(stage: Stage) -> None:
    @stage.orchestrator
    def parent(context: df.DurableOrchestrationContext) -> Any:
        yield context.call_sub_orchestrator("collector", None, instance_id="taken")

    async def scenario(host: Host) -> None:
        await host.start("collector", instance_id="taken")
        assert "already exists" in output(await host.run("parent"))

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_bad_names_and_ids_are_refused(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        with pytest.raises(UnknownFunctionError, match="known orchestrator functions: 'collector'"):
            await host.hub.start_new("colector", None, None)
        for bad in ("@a", "a/b", "a\\b", "a#b", "a?b", "a\nb", "x" * 257):
            with pytest.raises(InvalidInstanceIdError):
                await host.hub.start_new("collector", bad, None)
        for call in (host.hub.get("none"), host.hub.raise_event("none", "e", None), host.hub.ended("none")):
            with pytest.raises(InstanceNotFoundError):
                await call
        assert len(await host.hub.start_new("COLLECTOR", None, None)) == 32

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_all_instances_are_listed_in_the_order_of_their_ids(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        await host.start("collector", instance_id="b")
        await host.start("collector", instance_id="a")
        await host.hub.terminate("b", "enough")
        await host.settle()
        found = [(each.instance_id, each.runtime_status) for each in await host.hub.instances()]
        assert found == [("a", "Running"), ("b", "Terminated")]

    stage.play(scenario)


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


class SlowClock(Clock):
    """Lets a test act while a thread is in the middle of a call."""

    asked = threading.Event()
    go_on = threading.Event()

    def now(self) -> datetime:
        self.asked.set()
        assert self.go_on.wait(10)
        return super().now()


@pytest.mark.usefixtures("collector")
def test_a_caller_who_gives_up_waiting_costs_no_turn(stage: Stage) -> None:
    clock = stage.clock = SlowClock()

    async def scenario(host: Host) -> None:
        call = asyncio.create_task(host.hub.start_new("collector", "i", None))
        await asyncio.to_thread(clock.asked.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        clock.go_on.set()
        await host.hub.instances()  # the store works in order, so the commit is behind us
        await host.settle()
        assert (await host.hub.get("i")).runtime_status == "Running"

    stage.play(scenario)


def test_timers_wake_the_hub_by_themselves(stage: Stage) -> None:
    @stage.orchestrator
    def nap(context: df.DurableOrchestrationContext) -> Any:
        yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
        return "rested"

    async def scenario() -> None:
        hub = TaskHub(stage.path, stage.invoker, HubOptions())
        await hub.start()
        instance = await hub.start_new("nap", None, None)
        status = await asyncio.wait_for(hub.ended(instance), 10)
        assert output(status) == "rested"
        assert status.last_updated_at - status.created_at >= timedelta(milliseconds=20)
        await hub.stop(SECOND)

    asyncio.run(scenario())


def test_a_poll_costs_two_turns_and_leaves_two_rows(stage: Stage) -> None:
    @stage.activity
    def check(value: Any) -> str:
        return "running"

    @stage.orchestrator
    def poll(context: df.DurableOrchestrationContext) -> Any:
        for _ in range(10):
            yield context.call_activity("check", None)
            yield context.create_timer(context.current_utc_datetime + SECOND)

    async def scenario(host: Host) -> None:
        instance = await host.start("poll")
        before = host.hub.metrics()
        await host.advance(SECOND)
        after = host.hub.metrics()
        spent = {key: after[key] - before[key] for key in ("turns", "history_rows_written", "activities", "timers")}
        assert spent == {"turns": 2, "history_rows_written": 2, "activities": 1, "timers": 1}
        assert await rows(host, instance) == {"inbox": 0, "activities": 0, "timers": 1}

    stage.play(scenario)


async def rows(host: Host, instance: str) -> dict[str, int]:
    """Rows of work the instance has in the file."""
    with host.hub._database.reading() as db:
        return {
            table: db.execute(f"SELECT count(*) FROM {table} WHERE instance_id = ?", (instance,)).fetchone()[0]
            for table in ("inbox", "activities", "timers")
        }


def test_a_fault_inside_the_host_loses_no_turn(stage: Stage) -> None:
    """The invoker breaks its contract once; the message stays in the file and the instance goes on after a restart."""

    @stage.orchestrator
    def simple(context: df.DurableOrchestrationContext) -> Any:
        return "done"

    stage.invoker.fault = MemoryError("not the app's fault")

    async def broken(host: Host) -> None:
        assert (await host.run("simple")).runtime_status == "Pending"

    async def mended(host: Host) -> None:
        assert [output(each) for each in await host.hub.instances()] == ["done"]

    stage.play(broken)
    stage.invoker.fault = None
    stage.play(mended)


def test_a_second_host_on_the_file_refuses_to_start(stage: Stage) -> None:
    @stage.orchestrator
    def simple(context: df.DurableOrchestrationContext) -> Any:
        return None

    async def scenario(host: Host) -> None:
        second = TaskHub(host.path, host.invoker, HubOptions())
        with pytest.raises(HubInUseError, match=r"process \d+\) is using the task hub '.*hub.db'"):
            await second.start()

    stage.play(scenario)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    database = Database(path)
    with database.transaction() as db:
        db.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(ValueError, match="format 99"):
        Database(path)


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "hub.db")

    def fail() -> None:
        with database.transaction() as db:
            db.execute("INSERT INTO timers VALUES ('nobody', 1, 'x')")  # the foreign key refuses it

    with pytest.raises(sqlite3.IntegrityError):
        fail()
    with database.transaction() as db:
        assert db.execute("SELECT count(*) FROM timers").fetchone()[0] == 0
    database.close()
