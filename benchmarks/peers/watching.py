"""What processes do, seen from outside and for all sides alike: trainings, CPU, memory."""

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

EVERY: Final = 0.1
MARKER: Final = "--most-iterations"
"""The option whose value tells a side's trainings from all others; its fraction means nothing to the training."""


@dataclass(slots=True)
class Training:
    """A run of the training program. Times of the wall clock; ``ended`` is 0 while it runs.

    ``created``: as psutil tells it, from a boot time in whole seconds: good to know the process again, not to measure.
    """

    pid: int
    created: float
    started: float
    ended: float = 0.0


def is_training(words: list[str], marker: float) -> bool:
    """Whether a command line is Python with the training program, as the side with this marker starts it.

    Programs that only start it (a shell, a container engine) have it in their arguments too.
    """
    if len(words) < 2 or not Path(words[0]).name.startswith("python") or Path(words[1]).name != "train.py":
        return False
    with suppress(ValueError, IndexError):
        return float(words[words.index(MARKER) + 1]) == marker
    return False


class TrainingWatch:
    """Notes every training of a side while it is open."""

    def __init__(self, marker: float) -> None:
        self._marker = marker
        self._done = threading.Event()
        self.seen: list[Training] = []

    def look(self) -> None:
        """Note what has begun and what has ended."""
        for training in self.seen:
            if not training.ended and not _is_there(training):
                training.ended = time.time()
        known = {(training.pid, training.created) for training in self.seen}
        for pid in psutil.pids():
            with suppress(OSError, psutil.Error):
                words = Path("/proc", str(pid), "cmdline").read_bytes().decode(errors="replace").split("\0")
                if is_training(words, self._marker):
                    created = psutil.Process(pid).create_time()
                    if (pid, created) not in known:
                        self.seen.append(Training(pid, created, time.time() - _age(pid)))

    def running(self) -> list[Training]:
        """Those that have begun and not ended."""
        return [training for training in self.seen if not training.ended]

    def keep_looking(self) -> None:
        """Look until :meth:`close`."""
        while not self._done.wait(EVERY):
            self.look()

    def close(self) -> None:
        """No more looks."""
        self._done.set()


@contextmanager
def watched_trainings(marker: float) -> Iterator[TrainingWatch]:
    """Look ten times a second while the block runs."""
    watch = TrainingWatch(marker)
    thread = threading.Thread(target=watch.keep_looking, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.close()
        thread.join()


@dataclass(frozen=True, slots=True)
class Idle:
    """What some processes use while nothing happens: CPU seconds in an hour, and memory (proportional set size)."""

    cpu_seconds_an_hour: float
    megabytes: float

    def __add__(self, other: "Idle") -> "Idle":
        return Idle(self.cpu_seconds_an_hour + other.cpu_seconds_an_hour, self.megabytes + other.megabytes)


def idle(roots: dict[str, int], seconds: float) -> dict[str, Idle]:
    """Watch processes and all below them for so long; raises ``AssertionError`` when one of them has ended since."""
    before = {name: _cpu(root) for name, root in roots.items()}
    began = time.monotonic()
    time.sleep(seconds)
    hours = (time.monotonic() - began) / 3600
    found = {}
    for name, root in roots.items():
        assert psutil.pid_exists(root), f"{name} has ended while it was measured"
        found[name] = Idle((_cpu(root) - before[name]) / hours, _megabytes(root))
        assert found[name].megabytes > 1, f"the memory of {name} was not measured"
    return found


def tree(roots: Iterable[int]) -> list[psutil.Process]:
    """Processes and all below them."""
    found: dict[int, psutil.Process] = {}
    for root in roots:
        with suppress(psutil.Error):
            process = psutil.Process(root)
            found |= {each.pid: each for each in (process, *process.children(recursive=True))}
    return list(found.values())


def kill_all(roots: Iterable[int]) -> None:
    """SIGKILL to processes and all below them, until none is left, as the end of a machine would do."""
    while left := [each for each in tree(roots) if _is_alive(each)]:
        for process in left:
            with suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _is_there(training: Training) -> bool:
    try:
        process = psutil.Process(training.pid)
        return process.create_time() == training.created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _age(pid: int) -> float:
    """Seconds since a process began."""
    stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    ticks = int(stat.rpartition(")")[2].split()[19])  # the 22nd field, counted from behind the name; see proc(5)
    return float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def _cpu(root: int) -> float:
    """Seconds of CPU until now, those of children that have ended included."""
    total = 0.0
    for process in tree([root]):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _megabytes(root: int) -> float:
    total = 0.0
    for process in tree([root]):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss / 1e6
    return total
