"""Knowing a process again, and signalling only that one. Linux: everything here reads ``/proc``.

A bare process id is not enough: ids are reused, so a number kept in a file may belong to somebody else by now. An id
together with the start time names one process for as long as the machine is up.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process: its id and its start in clock ticks after boot (``starttime`` in proc(5))."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class _Stat:
    identity: Identity
    parent: int
    state: str


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in parentheses and may hold spaces and parentheses of its own.
    fields = text.rpartition(")")[2].split()
    return _Stat(Identity(pid, int(fields[19])), parent=int(fields[1]), state=fields[0])


def _all() -> list[_Stat]:
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [stat for pid in pids if (stat := _stat(pid)) is not None]


def identify(pid: int) -> Identity | None:
    """The identity of the process that has this id now; ``None`` when there is none."""
    stat = _stat(pid)
    return stat.identity if stat else None


def is_alive(process: Identity) -> bool:
    """Whether this very process still runs; a zombie does not."""
    stat = _stat(process.pid)
    return stat is not None and stat.identity == process and stat.state not in "ZX"


def descendants(pid: int) -> set[Identity]:
    """Every living process below ``pid``, in whatever session or group it put itself."""
    children: dict[int, list[_Stat]] = {}
    for stat in _all():
        children.setdefault(stat.parent, []).append(stat)
    found: set[Identity] = set()
    queue = [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            queue.append(child.identity.pid)
            if child.state not in "ZX":
                found.add(child.identity)
    return found


def marked(variable: str, value: str) -> set[Identity]:
    """Every process started with ``variable=value`` in its environment, except this one and its ancestors."""
    marker = f"{variable}={value}".encode()
    spared = _ancestors(os.getpid())
    return {
        stat.identity
        for stat in _all()
        if stat.identity.pid not in spared and marker in _environment(stat.identity.pid)
    }


def _ancestors(pid: int) -> set[int]:
    line: set[int] = set()
    while pid and pid not in line:
        line.add(pid)
        stat = _stat(pid)
        pid = stat.parent if stat else 0
    return line


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, or somebody else's
        return []


def send(process: Identity, number: signal.Signals) -> None:
    """Signal this very process; nothing happens when it is gone, even if its id is in use again."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)
        try:
            # The descriptor pins the process; comparing afterwards closes the gap before it was opened.
            if identify(process.pid) == process:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def end(processes: Iterable[Identity], *, grace: float) -> set[Identity]:
    """Ask the processes to end, insist after ``grace`` seconds. Returns those that needed asking."""
    asked = {process for process in processes if is_alive(process)}
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        living = {process for process in asked if is_alive(process)}
        for process in living:
            send(process, number)
        _wait_gone(living, patience)
    return asked


def _wait_gone(processes: set[Identity], patience: float) -> None:
    deadline = time.monotonic() + patience
    while any(is_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.02)


def boot_id() -> str:
    """Names this boot of the machine; start times of different boots cannot be compared."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
