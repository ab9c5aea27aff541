"""Starting, dying, starting again, and refusing to start."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.functions_host import SAMPLE_APP, HostProcess, running_host, start_process
from tests.support.service_process import eventually


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def completed(host: HostProcess, instance_id: str) -> dict[str, Any]:
    def ask() -> dict[str, Any] | None:
        reply = host.durable("GET", f"instances/{instance_id}")
        return dict(reply.json()) if reply.status_code == 200 else None

    found = eventually(ask)
    assert found is not None
    assert found["runtimeStatus"] == "Completed"
    return found


def steps(host: HostProcess, kind: str) -> list[int]:
    return [entry["step"] for entry in host.journal(kind)]


def test_a_killed_hosts_work_is_finished_by_the_next_one(state: Path) -> None:
    with running_host(state) as first:
        first.durable("POST", "orchestrators/slow/s1", json={})
        first.durable("POST", "orchestrators/approval/a1", json={"seconds": 60})
        eventually(lambda: steps(first, "began") == [0, 1])
        first.kill()

    with running_host(state) as second:
        assert second.durable("POST", "instances/a1/raiseEvent/decision", json={"go": 1}).status_code == 202
        assert completed(second, "s1")["output"] == [0, 1, 2, 3]
        assert completed(second, "a1")["output"] == {"go": 1}
        # What had ended is not done again; what was interrupted is.
        assert steps(second, "ended") == [0, 1, 2, 3]
        assert steps(second, "began") == [0, 1, 1, 2, 3]


def test_a_polite_stop_lets_a_running_activity_end_and_keeps_the_rest(state: Path) -> None:
    with running_host(state) as first:
        first.durable("POST", "orchestrators/slow/s1", json={})
        eventually(lambda: steps(first, "began") == [0])
        assert first.terminate() == 0
        assert steps(first, "ended") == [0]
        assert not (state / "endpoints.json").exists()

    with running_host(state) as second:
        assert completed(second, "s1")["output"] == [0, 1, 2, 3]
        assert steps(second, "began") == [0, 1, 2, 3]
        assert "Unclosed" not in second.log.read_text(encoding="utf-8")


def test_a_polite_stop_answers_the_request_that_is_running(state: Path) -> None:
    with running_host(state) as host, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(host.call, "POST", "/api/client/run/approval", json={"seconds": 0.5})
        eventually(lambda: host.durable("GET", "instances").json())

        assert host.terminate() == 0

        assert (answer.result().status_code, answer.result().text) == (200, "timed out")


def test_a_function_that_does_not_end_does_not_keep_the_host(state: Path) -> None:
    with running_host(state, "--grace", "0.1") as host:
        asked = {"input": json.dumps({"step": 0, "seconds": 600, "run": "r"})}
        assert host.call("POST", "/admin/functions/takes_time", json=asked).status_code == 202
        eventually(lambda: steps(host, "began") == [0])
        begun = time.monotonic()

        assert host.terminate() == 0

        assert time.monotonic() - begun < 300
        assert "LEAVING WITH RUNNING THREADS" in host.log.read_text(encoding="utf-8")


def test_keys_are_not_checked_unless_asked_to_and_stay_the_same(state: Path) -> None:
    with running_host(state) as first:
        assert first.call("GET", "/api/guarded").status_code == 200
        assert first.call("GET", "/admin/host/status").status_code == 200
        before = first.endpoints
    with running_host(state, "--enforce-keys") as second:
        assert second.endpoints["master_key"] == before["master_key"]
        assert second.call("GET", "/api/guarded").status_code == 401
        assert second.call("GET", f"/api/guarded?code={before['function_key']}").status_code == 200


def test_one_state_folder_has_one_host(state: Path) -> None:
    with running_host(state) as first:
        log = state.parent / "second.log"
        second = start_process(state, log, SAMPLE_APP, "--port", "0")

        assert second.wait(timeout=300) == 2
        assert "cannot start: " in log.read_text(encoding="utf-8")
        assert first.call("GET", "/").status_code == 200
        assert (state / "endpoints.json").exists()


def test_a_taken_port_is_refused(state: Path, tmp_path: Path) -> None:
    with running_host(state) as host:
        log = tmp_path / "second.log"
        port = host.url.rpartition(":")[2]
        second = start_process(tmp_path / "other", log, SAMPLE_APP, "--port", port)

        assert second.wait(timeout=300) == 2
        assert "cannot start: [Errno 98]" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no host.json"),
        ({"host.json": '{"version": "2.0"}'}, "no function_app.py"),
        ({"host.json": '{"version": "2.0"}', "function_app.py": "x = 1"}, "Could not find a top level function app"),
        (
            {
                "host.json": '{"version": "2.0"}',
                "function_app.py": "import azure.functions as f\napp = f.FunctionApp()\n"
                '@app.timer_trigger(arg_name="t", schedule="nonsense")\ndef tick(t: f.TimerRequest) -> None: ...\n',
            },
            "a schedule has",
        ),
    ],
)
def test_an_app_that_cannot_be_served_is_refused_with_the_reason(
    state: Path, tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    for name, text in files.items():
        (app / name).write_text(text, encoding="utf-8")
    log = tmp_path / "log"

    process = start_process(state, log, app, "--port", "0")

    assert process.wait(timeout=300) == 2
    text = log.read_text(encoding="utf-8")
    assert f"cannot start: {reason}" in text
    assert "Traceback" not in text


def test_a_timer_runs_on_its_schedule(state: Path) -> None:
    with running_host(state, settings={"SAMPLE_SCHEDULE": "* * * * * *"}) as host:
        eventually(lambda: len(host.journal("timer")) >= 2)

        assert {(entry["past_due"], entry["monitored"]) for entry in host.journal("timer")} == {(False, False)}


def test_a_run_that_was_missed_while_the_host_was_down_is_made_up_for_once(state: Path) -> None:
    long_ago = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    status = {"Last": long_ago, "Next": long_ago + timedelta(hours=1), "LastUpdated": long_ago}
    (state / "timers").mkdir(parents=True)
    (state / "timers" / "on_timer.json").write_text(
        json.dumps({name: moment.isoformat() for name, moment in status.items()}), encoding="utf-8"
    )

    with running_host(state, settings={"SAMPLE_SCHEDULE": "0 0 * * * *"}) as host:
        eventually(lambda: host.journal("timer"))
        assert [(entry["past_due"], entry["monitored"]) for entry in host.journal("timer")] == [(True, True)]

        def moved_on() -> bool:
            kept = json.loads((state / "timers" / "on_timer.json").read_text(encoding="utf-8"))
            return datetime.fromisoformat(kept["Next"]) > datetime.now(UTC)

        eventually(moved_on)
