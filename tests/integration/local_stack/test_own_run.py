"""What a run of the tests began ends with it, however it ends: containers, mounts, processes, folders."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_stack.app_client import deadline
from local_stack.stack_hub.containers import mounts_below
from tests.support import own_run
from tests.support.podman import missing_podman

_RUN = """
import json, os, subprocess, sys, tempfile, time
from pathlib import Path
from tests.support import own_run

outside = Path(sys.argv[1])
run = own_run.begin()
run.covers(outside)
if os.geteuid() == 0:
    (outside / "merged").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(outside / "merged")], check=True)
# As sshd starts what it is asked to: nothing but its folder shows whose it is.
child = subprocess.Popen(["sleep", "600"], cwd=outside, env={}, start_new_session=True)
print(json.dumps([tempfile.mkdtemp(), run.guardian.pid, child.pid]), flush=True)
time.sleep(600)
"""

_TEST = """
import os, subprocess, tempfile, time
from pathlib import Path
from tests.support.podman import BASE, running_podman

def test_that_takes_long(tmp_path):
    with running_podman(tmp_path) as podman:
        podman.import_base()
        sleep = ("python3", "-c", "import time; time.sleep(600)")
        podman("run", "--detach", "--name", "left", "--publish", "127.0.0.1::80", BASE, *sleep)
        Path(os.environ["SAYS"]).touch()
        time.sleep(600)
"""


_BENCHMARK = """
import subprocess, sys, tempfile, time
from benchmarks import __main__ as benchmarks

def measure():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print("began", child.pid, tempfile.gettempdir(), flush=True)
    time.sleep(600)

benchmarks.MEASUREMENTS = {"imports": measure}
sys.argv = ["benchmarks", "--only", "imports"]
benchmarks.main()
"""


@dataclass
class Begun:
    """A process with a run of its own. ``outside``: a folder that its run covers."""

    process: "subprocess.Popen[str]"
    outside: Path
    temporary: Path
    guardian: int
    child: int

    def left(self) -> list[Any]:
        """What there still is of the run."""
        there = Path("/proc", str(self.child), "cwd")
        child = there.is_symlink() and os.path.lexists(there) and _is_sleeping(self.child)
        return [*mounts_below(self.outside), *([self.child] if child else []), *self.temporary.parent.glob("*")]


def _is_sleeping(pid: int) -> bool:
    try:
        return b"sleep" in Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False


@contextmanager
def begun(within: Path) -> Iterator[Begun]:
    outside = within / "outside"
    outside.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != own_run.MARK}
    with subprocess.Popen(
        [sys.executable, "-c", _RUN, str(outside)],
        cwd=own_run.ROOT,
        env=environment | {"PYTEST_DEBUG_TEMPROOT": str(within)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        temporary, guardian, child = json.loads(process.stdout.readline())
        run = Begun(process, outside, Path(temporary), guardian, child)
        try:
            yield run
        finally:
            process.kill()


def test_what_a_killed_run_began_ends(tmp_path: Path) -> None:
    with begun(tmp_path) as run:
        assert len(run.left()) >= 2
        run.process.terminate()
        run.process.wait(timeout=30)
        for _ in deadline(60, "the end of what a killed run began"):
            if not run.left():
                break
    assert run.outside.is_dir()


def test_a_benchmark_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != own_run.MARK}
    with subprocess.Popen(
        [sys.executable, "-c", _BENCHMARK],
        cwd=own_run.ROOT,
        env=environment | {"PYTEST_DEBUG_TEMPROOT": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as benchmark:
        assert benchmark.stdout is not None
        began = next(line.split() for line in benchmark.stdout if line.startswith("began"))
        child = int(began[1])
        assert _is_sleeping(child)
        assert Path(began[2]).is_relative_to(tmp_path)
        benchmark.terminate()
        benchmark.wait(timeout=30)
        for _ in deadline(60, "the end of what a benchmark began"):
            if not (_is_sleeping(child) or Path(began[2]).exists()):
                break


def test_the_next_run_removes_what_even_the_guardian_could_not_and_nothing_of_a_live_run(tmp_path: Path) -> None:
    with begun(tmp_path / "dead") as dead, begun(tmp_path / "live") as live:
        os.kill(dead.guardian, signal.SIGKILL)
        dead.process.kill()
        dead.process.wait(timeout=30)
        before = live.left()

        for one in (dead, live):
            own_run.tidy_up_after_the_dead(one.outside.parent)

        assert dead.left() == []
        assert live.left() == before


@pytest.mark.on_demand
@pytest.mark.skipif(bool(missing_podman()), reason=missing_podman() or "-")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_pytest_that_is_interrupted_leaves_no_container(tmp_path: Path, ending: signal.Signals, workers: int) -> None:
    tests, says = tmp_path / "tests", tmp_path / "says"
    tests.mkdir()
    shutil.copy(own_run.ROOT / "tests/conftest.py", tests)
    (tests / "test_long.py").write_text(_TEST, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in {own_run.MARK, "CI"}}
    environment |= {"SAYS": str(says), "PYTEST_DEBUG_TEMPROOT": str(tmp_path), "PYTHONPATH": str(own_run.ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/base"]
    with subprocess.Popen([*command, f"-n{workers}", str(tests)], cwd=tests, env=environment) as running:
        for _ in deadline(120, "the container"):
            assert running.poll() is None
            if says.exists():
                break
        assert _processes_of(tmp_path)
        running.send_signal(ending)
        running.wait(timeout=60)
    for _ in deadline(60, "the end of what pytest began"):
        if not (mounts_below(tmp_path) or _processes_of(tmp_path) or any(tmp_path.glob("et-*"))):
            break


def _processes_of(folder: Path) -> list[str]:
    """Monitors of containers, and whatever else has the folder in its command line."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace") if process.name.isdigit() else ""
        except OSError:
            continue
        if f"{folder}/" in line and int(process.name) != os.getpid():
            found.append(line)
    return found
