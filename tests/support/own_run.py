"""What one process of pytest, or a benchmark, begins outside of itself ends with it, however it ends, and no more.

pytest ends no fixture of a process that is killed, as pytest-xdist does to its workers on Ctrl-C, and none on SIGTERM.
So everything temporary lies in one folder of the run, and a guardian, a process of a session of its own, waits for the
end of the run: it stops stacks, removes containers, bridges, mounts and processes, and then the folder. A run whose
guardian was killed as well is tidied up by the next one. Run as ``python -m tests.support.own_run FOLDER``.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local_stack.processes import identities
from local_stack.processes.identities import Identity
from local_stack.stack_hub import engine
from local_stack.stack_hub.containers import containers_in, forget_bridges, forget_forwards, mounts_below

ROOT: Final = Path(__file__).resolve().parents[2]
MARK: Final = "EDGETRAIN_TEST_RUN"
"""Environment variable with the folder of the run, in all that it starts."""

_PREFIX: Final = "et-"  # short: paths of sockets, and of podman's runroot, have few characters
_OWNER: Final = "owner.json"
_PATIENCE: Final = 10.0
_SECONDS: Final = 300.0
_DEEPEST: Final = 7
_NO_STATE: Final = (".git", ".venv", "node_modules", "cache")


@dataclass
class OwnRun:
    """The folder of a run, and its guardian."""

    folder: Path
    guardian: "subprocess.Popen[bytes]"

    def covers(self, *folders: Path) -> None:
        """What lies in these folders, and runs in them, ends with the run too; they themselves stay."""
        owner = json.loads((self.folder / _OWNER).read_text(encoding="utf-8"))
        _write(self.folder, owner | {"folders": sorted({*owner["folders"], *map(str, folders)})})

    def end(self) -> None:
        """Tidy up, and wait for it."""
        self.guardian.communicate(timeout=_SECONDS)


def begin() -> OwnRun:
    """Make the folder, from now on the place of all temporary files of this process and of what it starts."""
    outside = os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # pytest's own stay where they are
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=outside))
    _write(folder, {"owner": _numbers(os.getpid()), "folders": [str(folder)]})
    os.environ[MARK] = os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    guardian = subprocess.Popen(
        [sys.executable, "-m", "tests.support.own_run", str(folder)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != MARK},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return OwnRun(folder, guardian)


@contextmanager
def held() -> Iterator[OwnRun]:
    """A run for as long as the block takes, for programs other than pytest; what killed ones have left is removed."""
    tidy_up_after_the_dead(Path(tempfile.gettempdir()))
    run = begin()
    try:
        yield run
    finally:
        run.end()


def tidy_up_after_the_dead(within: Path) -> None:
    """Tidy up after runs of this user that were killed with their guardians; never after one that is alive."""
    for folder in within.glob(f"{_PREFIX}*"):
        with suppress(OSError, ValueError, KeyError):
            if folder.stat().st_uid == os.geteuid() and not _is_owned(folder):
                tidy_up(folder)


def tidy_up(folder: Path) -> None:
    """End and remove everything of a run. Whatever cannot be done does not keep the rest from it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        covered = [Path(each) for each in json.loads((folder / _OWNER).read_text(encoding="utf-8"))["folders"]]
        for step in (_stop_stacks, _remove_containers, lambda _: _end_processes(folder, covered), _unmount):
            _whatever_happens(step, covered)
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, owner: object) -> None:
    new = folder / "owner.new"
    new.write_text(json.dumps(owner), encoding="utf-8")
    new.replace(folder / _OWNER)


def _numbers(pid: int) -> list[int]:
    found = identities.identify(pid)
    return [] if found is None else [found.pid, found.started]


def _is_owned(folder: Path) -> bool:
    pid, started = json.loads((folder / _OWNER).read_text(encoding="utf-8"))["owner"]
    return identities.is_alive(Identity(pid, started))


def _whatever_happens(step: Callable[[Sequence[Path]], object], folders: Sequence[Path]) -> None:
    with suppress(Exception):
        step(folders)


def _found(name: str, folders: Sequence[Path]) -> Iterator[Path]:
    """Folders that have a file of this name, not far below the given ones."""
    for top in folders:
        for folder, inner, files in os.walk(top):
            if name in files:
                yield Path(folder)
            depth = len(Path(folder).relative_to(top).parts)
            inner[:] = [
                each for each in inner if depth < _DEEPEST and each not in _NO_STATE and not each.startswith("overlay")
            ]


def _stop_stacks(folders: Sequence[Path]) -> None:
    if not (states := list(_found("stack-id", folders))):
        return
    from local_stack.supervisor import Stack  # of no use to most runs, and slow to import

    for state in states:
        _whatever_happens(lambda states: Stack.clean(states[0]), [state])


def _remove_containers(folders: Sequence[Path]) -> None:
    for configuration in list(_found("storage.conf", folders)):
        environment = {**os.environ, **engine.find(configuration).environment}
        known = containers_in(_storage_of(configuration))
        command = ["podman", "rm", "--all", "--force", "--time", "0"]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(command, env=environment, check=False, capture_output=True, timeout=120)
        forget_forwards(known)
        _whatever_happens(lambda those: forget_bridges(engine.networks_folder(those[0])), [configuration])


def _storage_of(configuration: Path) -> Path:
    with (configuration / "storage.conf").open("rb") as stream:
        return Path(tomllib.load(stream)["storage"]["graphroot"])


def _end_processes(run: Path, folders: Sequence[Path]) -> None:
    """End what was started by the run or works in its folders, in good order where that helps.

    sshd and podman make the environment of what they start anew; but such processes work in the folders, or name them.
    """
    deadline = time.monotonic() + _PATIENCE
    while pids := [pid for pid in _others() if _is_of(pid, run, folders)]:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.1)


def _others() -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid()]


def _is_of(pid: int, run: Path, folders: Sequence[Path]) -> bool:
    process = Path("/proc", str(pid))
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        if b"tests.support.outlived" in words or b"tests.support.own_run" in words:  # they end by themselves
            return False
        if f"{MARK}={run}".encode() in (process / "environ").read_bytes().split(b"\0"):
            return True
        directory = (process / "cwd").readlink()
        # With a parent it is the shell or the pager of whoever looks at the folders; what a run left has lost its own.
        orphan = _name_of(_parent(process)) in {"systemd", "init"} or _parent(process) == 1
    except OSError:  # it has ended, or is no business of ours
        return False
    return orphan and any(directory.is_relative_to(each) or _names(words, each) for each in folders)


def _parent(process: Path) -> int:
    # Behind the name in parentheses, which may hold anything: state and parent; see proc(5).
    return int((process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])


def _name_of(pid: int) -> str:
    return Path("/proc", str(pid), "comm").read_text(encoding="utf-8").strip()


def _names(words: Sequence[bytes], folder: Path) -> bool:
    """Whether a command line has a path below the folder, as a word or behind an equals sign.

    sshd writes a title over its own, in which all words are one.
    """
    below = f"{folder}/".encode()
    return any(part.startswith(below) or b"=" + below in part for word in words for part in (word, *word.split()))


def _unmount(folders: Sequence[Path]) -> None:
    for mount in mounts_below(*folders):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def main() -> None:
    """Wait for the end of the run; then tidy up after it."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    while not select.select([sys.stdin], [], [], 5.0)[0] and _is_owned(folder):  # a fork of it may hold our input open
        pass
    tidy_up(folder)


if __name__ == "__main__":
    main()
