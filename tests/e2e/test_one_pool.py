"""Eight activities hang on the one small pool of a Python worker: orchestrations go on all the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from local_stack.functions_host.config import ONE_CORE_THREADS
from tests.support.functions_host import HostProcess, running_host
from tests.support.service_process import ROOT, eventually

HANGING = 8
LIMIT = "AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions"
APP = '''
import os, pathlib, time
from datetime import timedelta

import azure.durable_functions as df

app = df.DFApp()
FOLDER = pathlib.Path(os.environ["ONE_POOL_FOLDER"])


@app.activity_trigger(input_name="name")
def hang(name: str) -> str:
    """Until the file is there."""
    (FOLDER / name).touch()
    while not (FOLDER / "go on").exists():
        time.sleep(0.02)
    return name


@app.orchestration_trigger(context_name="context")
def hanging(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("hang", context.instance_id))


@app.orchestration_trigger(context_name="context")
def child(context: df.DurableOrchestrationContext):
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=50))
    return "child"


@app.orchestration_trigger(context_name="context")
def going_on(context: df.DurableOrchestrationContext):
    done = yield context.call_sub_orchestrator("child")
    yield context.wait_for_external_event("more")
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=50))
    return [done, "more"]
'''


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app with activities that hang, under the project's own host.json."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "function_app.py").write_text(APP, encoding="utf-8")
    shutil.copy(ROOT / "host.json", root)
    return root


def hang_all(host: HostProcess, folder: Path, at_once: int) -> None:
    """Start all that hang, and wait until as many as may are inside their activity."""
    for number in range(HANGING):
        assert host.durable("POST", f"orchestrators/hanging/hang-{number}").status_code == 202
    eventually(lambda: len(list(folder.glob("hang-*"))) == at_once)


def status(host: HostProcess, instance_id: str) -> dict[str, Any]:
    found: dict[str, Any] = host.durable("GET", f"instances/{instance_id}").json()
    return found


def ended(host: HostProcess, instance_id: str) -> bool:
    return bool(status(host, instance_id)["runtimeStatus"] == "Completed")


def settings(folder: Path, **more: str) -> dict[str, str]:
    return {"ONE_POOL_FOLDER": str(folder), "PYTHON_THREADPOOL_THREAD_COUNT": "", **more}


def test_orchestrations_advance_while_eight_activities_hang(app: Path, tmp_path: Path) -> None:
    limit = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]["maxConcurrentActivityFunctions"]
    folder = tmp_path / "marks"
    folder.mkdir()
    with running_host(tmp_path / "host", "--one-pool", app=app, settings=settings(folder)) as host:
        hang_all(host, folder, limit)
        assert host.durable("POST", "orchestrators/going_on/g").status_code == 202
        data = {"data": "1", "headers": {"Content-Type": "application/json"}}
        assert host.durable("POST", "instances/g/raiseEvent/more", **data).status_code == 202

        assert eventually(lambda: ended(host, "g"))

        assert status(host, "g")["output"] == ["child", "more"]
        assert [status(host, f"hang-{number}")["runtimeStatus"] for number in range(HANGING)] == ["Running"] * HANGING
        assert len(list(folder.glob("hang-*"))) == limit, "they hang still"
        (folder / "go on").touch()
        assert eventually(lambda: all(ended(host, f"hang-{number}") for number in range(HANGING)))


def test_with_more_activities_than_threads_nothing_advances(app: Path, tmp_path: Path) -> None:
    """What the limit in host.json is for: the stand-in shows the trouble as the worker has it."""
    folder = tmp_path / "marks"
    folder.mkdir()
    given = settings(folder, **{LIMIT: str(HANGING)})
    with running_host(tmp_path / "host", "--one-pool", app=app, settings=given) as host:
        hang_all(host, folder, ONE_CORE_THREADS)
        assert host.durable("POST", "orchestrators/child/c").status_code == 202

        seen = {status(host, "c")["runtimeStatus"] for _ in range(100)}

        assert seen == {"Pending"}
        (folder / "go on").touch()
        assert eventually(lambda: ended(host, "c"))
