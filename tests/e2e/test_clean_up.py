"""Whatever ends the demo or the stack, and whenever: no process, no container and no mount stays."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from local_stack.app_client import deadline
from local_stack.processes import identities
from local_stack.stack_hub.containers import mounts_below
from local_stack.supervisor import Stack, record
from local_stack.supervisor.layout import MARKER, Layout
from tests.support import leftovers
from tests.support.stack import CACHE, ROOT

INTERRUPTED = 130  # 128 + SIGINT, as a shell has it


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder with a short path, because sockets lie in it; gone at the end with all that runs in it."""
    folder = Path(tempfile.mkdtemp(prefix="edgetrain-end-"))
    try:
        yield folder
    finally:
        Stack.clean(folder)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "signs",
    [
        pytest.param(["cloud_storage is ready"], id="while the stack starts"),
        pytest.param(["training: running"], id="while a model is trained"),
        pytest.param(["more data lands", "rolling_out: canary with"], id="while a canary is beside a live container"),
    ],
)
def test_ctrl_c_at_any_moment_of_the_demo_leaves_nothing(state: Path, signs: list[str]) -> None:
    """``signs``: what the demo says, one after the other, before it is interrupted."""
    with subprocess.Popen(
        [sys.executable, "-m", "local_stack.demo", "--state", str(state), "--cache", str(CACHE)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C reaches the whole group; here, that of the demo alone
    ) as demo:
        assert demo.stdout is not None
        said: list[str] = []
        for sign in signs:
            said += read_until(demo.stdout, sign)
        os.killpg(demo.pid, signal.SIGINT)
        said.extend(demo.stdout)

    assert demo.returncode == INTERRUPTED, "".join(said[-30:])
    assert said[-1].startswith("stopped")
    assert "Traceback" not in "".join(said)
    assert what_is_left(state) == []
    assert runtimes(state) == []


def test_a_supervisor_that_is_killed_leaves_nothing_and_the_next_start_works(state: Path) -> None:
    up = ("up", "--detach", "--cache", str(CACHE))
    assert call(state, *up) == 0
    running = record.read(Layout.at(state))
    assert running is not None
    assert running.is_supervised()
    assert what_is_left(state), "what runs is seen"

    identities.send(running.supervisor, signal.SIGKILL)

    for _ in deadline(600, "the end of everything that the supervisor had started"):
        if not what_is_left(state):
            break
    assert call(state, *up) == 0
    assert call(state, "status") == 0
    assert call(state, "down") == 0
    assert what_is_left(state) == []
    assert runtimes(state) == []


def read_until(lines: Iterable[str], sign: str) -> list[str]:
    """Every line up to the one with the sign."""
    said = []
    for line in lines:
        said.append(line)
        if sign in line:
            return said
    pytest.fail(f"it ended before {sign!r}:\n{''.join(said[-30:])}")


def call(state: Path, command: str, *options: str) -> int:
    """The exit status of ``python -m local_stack``."""
    words = [sys.executable, "-m", "local_stack", command, "--state", str(state), *options]
    return subprocess.run(words, cwd=ROOT, capture_output=True, check=False, timeout=900).returncode


def runtimes(state: Path) -> list[Path]:
    """Folders of sockets outside of the state folder, which go with the stack that made them."""
    layout = Layout.at(state)
    return [folder for folder in (layout.runtime, layout.cloud_runtime) if folder.exists()]


def what_is_left(state: Path) -> list[str]:
    """Processes of the stack, or of a container in it, and mounts; whoever started them."""
    layout = Layout.at(state)
    return [
        *(f"process {process.pid}" for process in identities.marked(MARKER, layout.stack_id() or "none")),
        *leftovers.processes(str(layout.root)),
        *leftovers.processes(str(layout.runtime)),
        *mounts_below(layout.root, layout.runtime),
    ]
