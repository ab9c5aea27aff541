"""A small app on a hub that is killed before its n-th writing SQL statement, for many n, and started again.

Run as a program: ``python -m tests.integration.functions_host.crashing DIRECTORY STRIDE``. It imports the SDK once and
forks a process for every life, so that hundreds of kills take seconds. It prints one JSON line for every n.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from local_stack.functions_host.durable.database import Database
from local_stack.functions_host.durable.interfaces import (
    HubOptions,
    InstanceGoneError,
    InstanceNotFoundError,
)
from local_stack.functions_host.durable.store import Store
from local_stack.functions_host.durable.task_hub import TaskHub
from tests.unit.functions_host.durable.harness import SdkInvoker

SOON = timedelta(milliseconds=2)


def build_app(journal: Path) -> df.DFApp:
    """Two generations of: activities side by side, a retry, a timer, a child, an event; each activity leaves a line."""
    app = df.DFApp()

    @app.activity_trigger(input_name="value")
    def work(value: str) -> str:
        with journal.open("a") as lines:
            lines.write(f"{value}\n")
        if value.startswith("flaky") and journal.read_text().count(f"{value}\n") < 2:
            raise ValueError("the first call always fails")
        return value.upper()

    @app.orchestration_trigger(context_name="context")
    def child(context: df.DurableOrchestrationContext) -> Any:
        done = yield context.call_activity("work", f"child{context.get_input()}")
        return done

    @app.orchestration_trigger(context_name="context")
    def story(context: df.DurableOrchestrationContext) -> Any:
        state = context.get_input()
        generation, done = state["generation"], state["done"]
        side = yield context.task_all([context.call_activity("work", f"side{generation}{name}") for name in "ab"])
        again = yield context.call_activity_with_retry("work", df.RetryOptions(1, 3), f"flaky{generation}")
        yield context.create_timer(context.current_utc_datetime + SOON)
        nested = yield context.call_sub_orchestrator("child", generation, instance_id=f"child{generation}")
        done = [*done, *side, again, nested]
        if generation == 0:
            context.continue_as_new({"generation": 1, "done": done})
            return None
        context.set_custom_status("waiting")
        go = yield context.wait_for_external_event("go")
        return [*done, go]

    return app


async def live(directory: Path, invoker: SdkInvoker, kill_before: int) -> None:
    """One life of the host and of its client: goes on with whatever the lives before left behind."""
    hub = TaskHub(directory / "hub.db", invoker, HubOptions(max_activities=4, max_orchestrators=2))
    await hub.start()
    _kill_before_write(hub, kill_before)
    async with asyncio.timeout(10):
        await be_a_client(hub, directory / "acknowledged")
        await hub.ended("story")
    await hub.stop(timedelta(seconds=5))


async def be_a_client(hub: TaskHub, acknowledged: Path) -> None:
    """Start the story and send its event, unless a life before was told that this was done."""
    try:
        await hub.get("story")
    except InstanceNotFoundError:
        await hub.start_new("story", "story", json.dumps(json.dumps({"generation": 0, "done": []})))
    if acknowledged.exists():  # noqa: ASYNC240 - a quick look; nobody else is on this loop
        return
    while (status := await hub.get("story")).custom_status is None:  # noqa: ASYNC110 - clients have nothing but polling
        await asyncio.sleep(0.001)
    if status.runtime_status == "Running":
        with contextlib.suppress(InstanceGoneError):  # the life before sent it too, and the story has just ended
            await hub.raise_event("story", "go", json.dumps({"by": "client"}))
    acknowledged.touch()  # noqa: ASYNC240 - as above


def _kill_before_write(hub: TaskHub, number: int) -> None:
    """SIGKILL ourselves when SQLite is about to run its n-th statement from now on; 0 for never.

    Reads do not count: being killed before one is the same as after the write before it.
    """
    seen = 0

    def count(statement: str) -> None:
        nonlocal seen
        if statement.startswith("SELECT"):
            return
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    hub._database._connection.set_trace_callback(count)


def one_case(directory: Path, kill_before: int) -> dict[str, Any]:
    """Be killed once at a given point, then live on without harm; what came of it."""
    directory.mkdir()
    invoker = SdkInvoker(build_app(directory / "journal"))
    ends = []
    for number in (kill_before, 0):
        process = os.fork()
        if process == 0:
            try:
                asyncio.run(live(directory, invoker, number))
            except BaseException:  # noqa: BLE001 - a forked child must not return into its parent's code
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        ends.append(os.waitstatus_to_exitcode(status))
        if ends[-1] == 0:
            break
    return {"n": kill_before, "ends": ends, **outcome(directory)}


def outcome(directory: Path) -> dict[str, Any]:
    """What the lives left behind; read without threads, since more forks follow."""
    database = Database(directory / "hub.db")
    store = Store(database)
    story = store.status("story")
    found = store.instances()
    with database.reading() as db:
        tables = ("inbox", "activities", "timers")
        left = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    database.close()
    return {
        "status": story.runtime_status,
        "output": json.loads(story.output or "null"),
        "instances": sorted((each.instance_id, each.runtime_status) for each in found),
        "left": left,
        "journal": sorted((directory / "journal").read_text().split()),
    }


if __name__ == "__main__":
    root, stride = Path(sys.argv[1]), int(sys.argv[2])
    point = 1
    while True:
        case = one_case(root / str(point), point)
        sys.stdout.write(json.dumps(case) + "\n")
        sys.stdout.flush()
        if case["ends"] == [0]:
            break  # it ended before this many statements, so there is no later point to be killed at
        point += stride
