"""How the hub behaves around instances: turns, timers, and the file it owns."""

import asyncio
import sqlite3
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable.database import Database
from local_stack.functions_host.durable.interfaces import (
    HubInUseError,
    HubOptions,
)
from local_stack.functions_host.durable.task_hub import TaskHub
from local_stack.sqlite_files import StateFileError
from tests.unit.functions_host.durable.harness import Clock, Host, Stage, output

SECOND = timedelta(seconds=1)


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

    with pytest.raises(StateFileError, match="format 99"):
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
