"""Ctrl-C at any moment, or worse, leaves no process and no container behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local_stack.app_client import deadline
from local_stack.files import read_object
from local_stack.supervisor.layout import MARKER
from tests.support.stack import CACHE, ROOT


@pytest.fixture
def state() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="edgetrain-end-"))
    yield folder / "state"
    subprocess.run(local_stack("clean", folder / "state"), cwd=ROOT, check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def local_stack(command: str, state: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "local_stack", command, "--state", str(state), *more]


def left_behind(state: Path) -> list[str]:
    """Processes of the state's stack: by the marker in their environment, or the folder on their command line."""
    stack_id = (state / "stack-id").read_text().strip() if (state / "stack-id").exists() else "none"
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(MARKER) == stack_id or str(state) in " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if ours and process.pid != os.getpid():
            found.append(f"{process.pid} {process.name()}")
    return found


def assert_nothing_left(state: Path) -> None:
    for _ in deadline(30, f"the end of {left_behind(state)}"):
        if not left_behind(state):
            return


@pytest.mark.parametrize("moment", ["start the local stack", "training: running", "rolling_out: verifying"])
def test_the_demo_interrupted_leaves_nothing(state: Path, moment: str) -> None:
    command = [sys.executable, "-u", "-m", "local_stack.demo", "--state", str(state), "--cache", str(CACHE)]
    demo = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if moment in line:
            os.killpg(demo.pid, signal.SIGINT)  # as a terminal does it: the whole group hears it
            break
    rest, _ = demo.communicate(timeout=60)

    assert demo.returncode == 130, "".join(said) + rest
    assert "Traceback" not in rest
    assert_nothing_left(state)


def test_a_supervisor_that_is_killed_takes_everything_with_it_and_the_next_up_works(state: Path) -> None:
    up = local_stack("up", state, "--detach", "--cache", str(CACHE))
    subprocess.run(up, cwd=ROOT, check=True, capture_output=True, timeout=90)
    before = read_object(state / "endpoints.json")
    supervisor = next(
        process for process in psutil.process_iter() if str(state) in (words := process.cmdline()) and "up" in words
    )

    supervisor.kill()
    assert_nothing_left(state)

    subprocess.run(up, cwd=ROOT, check=True, capture_output=True, timeout=90)
    assert read_object(state / "endpoints.json")["functions_host"] == before["functions_host"], "the same place again"
    status = subprocess.run(local_stack("status", state), cwd=ROOT, check=False, capture_output=True, text=True)
    assert status.returncode == 0, status.stdout
    subprocess.run(local_stack("down", state), cwd=ROOT, check=True, capture_output=True, timeout=60)
    assert_nothing_left(state)
