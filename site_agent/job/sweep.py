"""No run leaves anything on the VM, however its job ends.

A run holds a lock for as long as its job lives; the kernel frees it with the process. Whoever gets the lock of a run
knows that its job is dead: it ends the run's containers and calls of the engine, and removes its folder. Who does it:

- the job itself, when it ends in any way that it notices, a SIGTERM among them;
- a guardian, a process of a session of its own that waits for the job's end, when it was killed. It is there before the
  lock and goes after it, so that there is no moment at which something is on the disk and nobody looks after it;
- the next job, or ``python -m site_agent.job sweep``, when the whole machine went down.

``runs/<run id>/`` is a run's folder, ``runs/<run id>.lock`` its lock.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from site_agent.job import folders
from site_agent.job.engine import Engine, calls_under_way
from site_agent.job.failures import JobError, OutsideError

_LOCK: Final = ".lock"
_DONE: Final = b"done"
_CALL_SECONDS: Final = 60.0
_POLL: Final = 0.05
_MOMENT: Final = 3.0  # for which a process that a job was just starting has the job's lock after its end
_WORKS, _CLEANS = b"works", b"cleans up"  # what the holder of a lock says of itself
_GUARD_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, *([15.0] * 20))  # seconds between attempts of a guardian

PATIENCE: Final = 60.0
"""Seconds for which a job waits for whoever cleans up after an earlier attempt of its run."""

Engines = Callable[[str], Engine]
"""The engine for a run, by its id."""


class UnderWayError(OutsideError):
    """Another job of the same run is alive on this VM."""


@contextmanager
def locked_run(runs: Path, run_id: str, *, patience: float = 0.0) -> Iterator[None]:
    """Hold a run's lock to clean up; raises :class:`UnderWayError` when another still has it after so many seconds."""
    deadline = time.monotonic() + patience
    while (descriptor := _lock(runs, run_id, _CLEANS)) is None and time.monotonic() < deadline:
        time.sleep(_POLL)
    with _held(runs, run_id, descriptor):
        yield


@contextmanager
def job_lock(runs: Path, run_id: str) -> Iterator[None]:
    """Hold a run's lock to do the run; raises :class:`UnderWayError` when another job of the run is alive.

    Whoever only cleans up after an earlier attempt is waited for.
    """
    began = time.monotonic()
    while (descriptor := _lock(runs, run_id, _WORKS)) is None:
        waited = time.monotonic() - began
        if waited > PATIENCE or (waited > _MOMENT and _holder(runs, run_id) == _WORKS):
            break
        time.sleep(_POLL)
    with _held(runs, run_id, descriptor):
        yield


@contextmanager
def _held(runs: Path, run_id: str, descriptor: int | None) -> Iterator[None]:
    if descriptor is None:
        raise UnderWayError(f"run {run_id} is under way on the VM already; it goes on there")
    try:
        yield
    finally:
        _lock_path(runs, run_id).unlink(missing_ok=True)
        os.close(descriptor)


def sweep(runs: Path, engines: Engines) -> list[str]:
    """Remove what dead jobs left; returns the ids of their runs. What cannot be removed is tried again by the next."""
    swept: list[str] = []
    for run_id in sorted(known_runs(runs) | set(engines("").containers().values())):
        with contextlib.suppress(JobError, OSError), locked_run(runs, run_id):
            clean(runs, run_id, engines(run_id))
            swept.append(run_id)
    return swept


def clean(runs: Path, run_id: str, engine: Engine) -> None:
    """End and remove everything of a run; its lock must be held."""
    _end_calls(run_id)
    for name in engine.containers(run_id):
        engine.remove(name)
    remove_folder(runs / run_id, engine)


def remove_folder(folder: Path, engine: Engine) -> None:
    """Remove a run's folder, also what containers of a rootless engine own in it."""
    if engine.rootless and folder.exists():
        command = [*engine.inside(), sys.executable, "-I", "-m", "site_agent.job", "folder", "remove", str(folder)]
        with contextlib.suppress(subprocess.TimeoutExpired):  # what is still there is told by the next line
            subprocess.run(command, env=dict(engine.environment), check=False, capture_output=True, timeout=600)
    folders.remove(folder)


def known_runs(runs: Path) -> set[str]:
    """The ids of runs that have a folder or a lock."""
    if not runs.is_dir():
        return set()
    return {path.name.removesuffix(_LOCK) for path in runs.iterdir()}


def _end_calls(run_id: str) -> None:
    """Wait for calls of the engine that outlive their job, as they may be making a container; end pulls at once."""
    deadline = time.monotonic() + _CALL_SECONDS
    while calls := calls_under_way(run_id):
        for pid, pulls in calls.items():
            if pulls or time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL)


def _lock_path(runs: Path, run_id: str) -> Path:
    return runs / f"{run_id}{_LOCK}"


def _holder(runs: Path, run_id: str) -> bytes:
    """What the holder of a lock does with it; empty when there is none."""
    try:
        return _lock_path(runs, run_id).read_bytes()
    except OSError:
        return b""


def _lock(runs: Path, run_id: str, doing: bytes) -> int | None:
    path = _lock_path(runs, run_id)
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, doing)
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has removed it meanwhile


class Guardian:
    """A process that cleans up after this one, should it be killed. Start it before the run's lock is taken."""

    def __init__(self, run_id: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "site_agent.job", "guard", run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def dismiss(self) -> None:
        """Tell it that there is nothing left to do, and wait for its end."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(_DONE, timeout=20)


@contextmanager
def own_run(runs: Path, run_id: str, engine: Engine, *, guarded: bool = True) -> Iterator[None]:
    """Hold a run's lock to do the run. Nothing of it is left when the block ends, or when this process is killed.

    Raises :class:`UnderWayError` as :func:`job_lock` does. ``guarded``: whether a guardian is beside it.
    """
    guardian = Guardian(run_id) if guarded else None
    refused = cleaned = False
    try:
        with job_lock(runs, run_id):
            clean(runs, run_id, engine)  # an earlier attempt of this run may have been killed
            try:
                yield
            finally:
                clean(runs, run_id, engine)
                cleaned = True
    except UnderWayError:
        refused = True
        raise
    finally:
        if guardian is not None and (refused or (cleaned and run_id not in known_runs(runs))):
            guardian.dismiss()


def guard(run_id: str, job: IO[bytes], runs: Path, engine: Engine, note: Callable[[str], None]) -> bool:
    """What the guardian does: wait for the end of the job, whose end of a pipe ``job`` is read from; then clean up.

    Returns whether the job was killed. ``note`` writes a line to a log on the VM.
    """
    for kind in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)  # it ends when its job does, and not before
    if job.read() == _DONE:
        return False
    for pause in _GUARD_PAUSES:
        try:
            with locked_run(runs, run_id, patience=_MOMENT):
                clean(runs, run_id, engine)
            return True
        except UnderWayError:  # a new job of the same run, or a sweep, was faster; it may fail, or be killed too
            time.sleep(pause)
        except (JobError, OSError) as error:
            note(f"what run {run_id} left cannot be removed yet: {error}")
            time.sleep(pause)
    return True
