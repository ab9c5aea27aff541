"""``python -m local_stack`` from outside."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local_stack.files import read_object, write_object
from local_stack.processes import identities
from local_stack.processes.client import REPOSITORY
from local_stack.supervisor import InUseError, Stack
from local_stack.supervisor.layout import MARKER, Layout

IGNORING_INTERRUPTS = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")  # as a background start does it
COMMAND = (sys.executable, "-m", "local_stack")
ONLY = ("--only", "hub_storage", "--only", "vm", "--only", "haproxy")


def call(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    first, *rest = arguments
    return subprocess.run(
        [*COMMAND, first, "--state", str(state), *rest],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def living(state: Path) -> int:
    return len(identities.marked(MARKER, Layout.at(state).stack_id() or "none"))


def wait_until_nothing_lives(state: Path) -> None:
    deadline = time.monotonic() + 180
    while living(state):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.05)


def wait_for_state(state: Path, name: str, wanted: str) -> None:
    deadline = time.monotonic() + 180
    while {each["name"]: each["state"] for each in read_object(state / "stack.json")["services"]}[name] != wanted:
        assert time.monotonic() < deadline, f"{name} is not {wanted}"
        time.sleep(0.05)


def started(state: Path, arguments: Sequence[str], *, before: Sequence[str] = ()) -> "subprocess.Popen[str]":
    """A foreground ``up`` that said it is ready. ``before`` comes first on its command line."""
    process = subprocess.Popen(
        [*before, *COMMAND, "up", "--state", str(state), *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready;"):
            return process
    raise AssertionError("it ended without being ready")


def test_down_and_up_keep_addresses_keys_and_blobs(state: Path) -> None:
    first = call(state, "up", "--detach", *ONLY)
    assert first.returncode == 0, first.stdout + first.stderr
    endpoints = read_object(state / "endpoints.json")
    assert stat.S_IMODE((state / "endpoints.json").stat().st_mode) == 0o600
    hub = endpoints["hub_storage"]
    with BlobServiceClient.from_connection_string(hub["connection_string"], api_version=hub["api_version"]) as client:
        client.create_container("kept").upload_blob("a.csv", b"1,2,3")

    status = call(state, "status")
    again = call(state, "up", "--detach", *ONLY)
    log = call(state, "logs", "haproxy", "-n", "5")
    with pytest.raises(InUseError):
        Stack.start(state)
    down = call(state, "down")

    assert status.returncode == 0
    assert [line.split()[1] for line in status.stdout.splitlines()[1:]] == ["ready"] * 5
    assert "already" in again.stdout
    assert "Loading success" in log.stdout
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    assert living(state) == 0
    assert "not running" in call(state, "status").stdout
    assert call(state, "down").stdout == "nothing was running\n"

    with Stack.start(state, only=["hub_storage"]) as stack:
        assert stack.endpoints["hub_storage"] == hub
        assert stack.endpoints["vm"] == endpoints["vm"]
        with BlobServiceClient.from_connection_string(
            hub["connection_string"], api_version=hub["api_version"]
        ) as client:
            assert client.get_blob_client("kept", "a.csv").download_blob().readall() == b"1,2,3"


def test_nothing_survives_a_supervisor_that_is_killed(state: Path) -> None:
    with started(state, ONLY) as process:
        assert living(state) > 5
        process.kill()

    wait_until_nothing_lives(state)
    assert call(state, "status").returncode == 3


def test_the_next_command_ends_what_a_killed_keeper_left(state: Path) -> None:
    with started(state, ONLY) as process:
        # The worst case: nobody is left to clean up, and something runs that no parent knows.
        stray = subprocess.Popen(["sleep", "300"], env={MARKER: Layout.at(state).stack_id()}, start_new_session=True)
        keeper = read_object(state / "stack.json")["keeper"]["pid"]
        os.kill(process.pid, signal.SIGKILL)
        os.kill(keeper, signal.SIGKILL)

    down = call(state, "down")

    assert stray.wait(timeout=60) == -signal.SIGTERM
    assert down.stdout == "stopped\n"
    assert living(state) == 0


@pytest.mark.parametrize(("delay", "number"), [(0.4, signal.SIGINT), (0.9, signal.SIGINT), (0.7, signal.SIGTERM)])
def test_an_interrupted_start_leaves_nothing(state: Path, delay: float, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "up", "--state", str(state), *ONLY],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        time.sleep(delay)  # the moment is the parameter: no condition is waited for
        os.killpg(process.pid, number)
        said = process.communicate(timeout=300)[1].decode()

    # On a busy machine Python itself may not have started yet, and says so with status 1: where it reads its site, or
    # where it looks for the module that is to run.
    early = process.returncode == 1 and any(word in said for word in ("init_import_site", "KeyboardInterrupt"))
    early = early and f"{REPOSITORY}/local_stack/supervisor" not in said
    assert process.returncode in (0, 130, -number) or early, said
    assert living(state) == 0


def test_control_c_stops_a_running_stack(state: Path) -> None:
    with started(state, ["--only", "hub_storage"]) as process:
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate(timeout=300)[0]

    assert process.returncode == 130
    assert output.splitlines()[-1].startswith("stopped")
    assert living(state) == 0


def test_control_c_stops_a_stack_that_was_started_with_interrupts_ignored(state: Path) -> None:
    with started(state, ["--only", "hub_backend"], before=IGNORING_INTERRUPTS) as process:
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=300)[0]

    assert process.returncode == 130
    assert output.splitlines()[-1].startswith("stopped")
    assert living(state) == 0


def test_up_on_a_running_stack_starts_what_died_and_says_where_it_is_served(state: Path) -> None:
    assert call(state, "up", "--detach", *ONLY).returncode == 0
    slots = state / "vm" / "home" / "serving"
    slots.mkdir(parents=True, exist_ok=True)
    for name in ("breast-cancer", "long-gone"):
        write_object(slots / f"{name}.json", {"frontend_port": 1})
    [haproxy] = [each for each in read_object(state / "stack.json")["services"] if each["name"] == "haproxy"]
    os.kill(haproxy["pid"], signal.SIGKILL)
    wait_for_state(state, "haproxy", "died")
    assert call(state, "status").returncode == 3

    again = call(state, "up", "--detach", *ONLY)
    status = call(state, "status")

    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.splitlines()[1].startswith("haproxy is ready")
    assert (status.returncode, status.stdout.count(" ready ")) == (0, 5)
    assert "breast-cancer is served at http://127.0.0.1:1" in status.stdout
    assert "long-gone has no file" in status.stdout
    once_more = call(state, "up", "--detach", *ONLY)
    assert (once_more.returncode, len(once_more.stdout.splitlines())) == (0, 2)
    assert call(state, "down").stdout == "stopped\n"


def test_a_recorded_process_id_that_is_in_use_again_is_not_touched(state: Path) -> None:
    with Stack.start(state, only=["hub_backend"]):
        record = read_object(state / "stack.json")
    with subprocess.Popen(["sleep", "300"]) as innocent:
        for entry in (record["supervisor"], record["keeper"], *record["services"]):
            entry["pid"] = innocent.pid
        write_object(state / "stack.json", record)

        assert call(state, "down").returncode == 0

        assert innocent.poll() is None
        innocent.kill()


def test_clean_deletes_state_folders_only(state: Path, tmp_path: Path) -> None:
    with Stack.start(state, only=["hub_backend"]):
        pass
    (tmp_path / "precious.txt").touch()

    assert call(state, "clean").returncode == 0
    refused = call(tmp_path, "clean")

    assert not state.exists()
    assert refused.returncode == 1
    assert "state folder" in refused.stderr
    assert (tmp_path / "precious.txt").exists()


def test_a_mistyped_service_is_answered_with_the_names_there_are(state: Path) -> None:
    result = call(state, "up", "--only", "hub")

    assert result.returncode == 1
    assert "no service hub" in result.stderr
    assert "Traceback" not in result.stderr
