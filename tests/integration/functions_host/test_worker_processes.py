"""A host with three worker processes: each works, and what a dead one had is done by another."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.functions_host import HostProcess, running_host
from tests.support.service_process import eventually

THREE = {"FUNCTIONS_WORKER_PROCESS_COUNT": "3"}
APP = '''
import os, pathlib, time

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
FOLDER = pathlib.Path(os.environ["WORKERS_FOLDER"])


@app.activity_trigger(input_name="name")
def hang(name: str) -> int:
    """Until the file is there; says which process it hangs in."""
    (FOLDER / f"{name}-{os.getpid()}").touch()
    while not (FOLDER / "go on").exists():
        time.sleep(0.02)
    return os.getpid()


@app.orchestration_trigger(context_name="context")
def hanging(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("hang", context.instance_id))


@app.route(route="who")
def who(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(os.getpid()))


@app.route(route="fails")
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise KeyError("no")


@app.route(route="dies")
def dies(req: func.HttpRequest) -> func.HttpResponse:
    os._exit(3)
'''


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    (root / "function_app.py").write_text(APP, encoding="utf-8")
    (root / "host.json").write_text('{"version": "2.0"}', encoding="utf-8")
    return root


def pids(host: HostProcess) -> set[int]:
    return {each["pid"] for each in host.call("GET", "/admin/host/processes", headers=host.master).json()["workers"]}


def marks(folder: Path, name: str) -> list[int]:
    """The processes that this instance's activity was begun in."""
    return [int(path.name.rpartition("-")[2]) for path in folder.glob(f"{name}-*")]


def test_three_processes_work_and_the_work_of_a_dead_one_is_done(app: Path, tmp_path: Path) -> None:
    folder = tmp_path / "marks"
    folder.mkdir()
    with running_host(tmp_path / "host", app=app, settings={"WORKERS_FOLDER": str(folder), **THREE}) as host:
        assert eventually(lambda: len(pids(host)) == 3)
        first = pids(host)

        answers = {int(host.call("GET", "/api/who").text) for _ in range(6)}

        assert answers == first, "every one of them serves, the host itself does not"
        assert host.call("GET", "/api/fails").status_code == 500
        assert host.durable("POST", "orchestrators/hanging/one").status_code == 202
        assert eventually(lambda: marks(folder, "one"))
        (victim,) = marks(folder, "one")
        os.kill(victim, signal.SIGKILL)
        assert eventually(lambda: len(marks(folder, "one")) == 2), "the activity was begun again"
        (other,) = set(marks(folder, "one")) - {victim}
        (folder / "go on").touch()
        assert eventually(lambda: host.durable("GET", "instances/one").json()["runtimeStatus"] == "Completed")
        assert host.durable("GET", "instances/one").json()["output"] == other
        assert eventually(lambda: len(pids(host)) == 3), "another has taken its place"
        assert host.call("GET", "/api/dies").status_code == 500, "an event's function has failed"
        assert int(host.call("GET", "/api/who").text) != victim
        left = pids(host)
    assert all(not Path(f"/proc/{pid}").exists() for pid in left), "they end with the host"
