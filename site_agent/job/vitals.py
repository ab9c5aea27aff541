"""What the kernel says of a container's process while it lives, and right after its end.

Engines forget some of it: podman on control groups of version 1 does not notice that memory ran out, and the counters
of a network namespace are gone with its last process. So the files are opened before anything of the script has run.
"""

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_CGROUPS: Final = Path("/sys/fs/cgroup")
_LOOPBACK: Final = "lo"
_BYTES_RECEIVED, _BYTES_SENT = 0, 8  # columns of proc_net_dev(5), after the interface's name


@dataclass(frozen=True, slots=True)
class Network:
    """Bytes through a container's interfaces but its own loopback; ``measured``: read in its namespace at its end."""

    received: int = 0
    sent: int = 0
    measured: bool = False


class Vitals:
    """A process in a container, watched from outside. Close it, or use it in a ``with`` block.

    ``inside``: what goes before a command that needs the rights of the engine's user namespace. Raises
    ``ProcessLookupError`` when there is no such process any more.
    """

    def __init__(self, pid: int, *, inside: Sequence[str] = ()) -> None:
        self.pid = pid
        self._inside = inside
        self._pidfd = _pidfd(pid)
        self._counters = _Counters(pid, inside)
        self._memory = _memory_group(pid)
        self._kills = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the kernel's files."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self._counters.close()

    def ended(self, seconds: float) -> bool:
        """Wait so long for the end of the process; whether it has ended."""
        if self._pidfd is None:
            deadline = time.monotonic() + seconds
            while (alive := Path(f"/proc/{self.pid}").exists()) and time.monotonic() < deadline:
                time.sleep(0.05)
            return not alive
        ready, _, _ = select.select([self._pidfd], [], [], seconds)
        if ready:
            self.memory_ran_out()  # at once: the engine removes the control group after the end
        return bool(ready)

    def memory_ran_out(self) -> bool:
        """Whether the kernel has killed a process of the container because its memory limit was reached."""
        with contextlib.suppress(OSError, ValueError):
            if self._memory is not None:
                self._kills = max(self._kills, _oom_kills(_oom_file(self._memory).read_text(encoding="ascii")))
        return self._kills > 0

    def network(self) -> Network:
        """What went through its interfaces so far; also after its end, as its namespace is held open."""
        return self._counters.read()

    def memory_limit(self) -> int | None:
        """Bytes of memory that the kernel grants the container; None when that cannot be seen."""
        return None if self._memory is None else _limit_of(self._memory)


class _Counters:
    """Counters of a process's network namespace.

    A small process holds the namespace open until it is asked: with the rights of a rootless engine's user namespace
    there is no other way to.
    """

    _HOLD: Final = """\
exec 3<"/proc/$1/ns/net" || exit 1
echo held
read -r now || exit 1
exec nsenter --net=/proc/self/fd/3 cat /proc/self/net/dev
"""

    def __init__(self, pid: int, inside: Sequence[str]) -> None:
        self._holder: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):
            self._holder = subprocess.Popen(
                [*inside, "sh", "-c", self._HOLD, "sh", str(pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert self._holder.stdout is not None  # noqa: S101 - it is a pipe
            self._holder.stdout.readline()  # before anything of the container may end

    def read(self) -> Network:
        if self._holder is None:
            return Network()
        try:
            said, _ = self._holder.communicate(b"now\n", timeout=120)
            return network_of(said.decode("ascii", "replace")) if self._holder.returncode == 0 else Network()
        except (OSError, subprocess.SubprocessError, ValueError):
            return Network()

    def close(self) -> None:
        if self._holder is not None and self._holder.poll() is None:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                self._holder.communicate(timeout=5)  # the end of its input ends it
        self._holder = None


def network_of(text: str) -> Network:
    """The sum over all interfaces but the loopback, of a text as in proc_net_dev(5)."""
    received = sent = 0
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() != _LOOPBACK:
            columns = [int(number) for number in numbers.split()]
            received += columns[_BYTES_RECEIVED]
            sent += columns[_BYTES_SENT]
    return Network(received, sent, measured=True)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # a kernel before 5.3
        return None


def _memory_group(pid: int) -> Path | None:
    """The control group that limits a process's memory: of version 2, or of version 1 with its own hierarchy."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    groups = {name: path for _, name, path in (line.split(":", 2) for line in lines)}
    first = [_CGROUPS / "memory" / path.lstrip("/") for names, path in groups.items() if "memory" in names.split(",")]
    second = [_CGROUPS / groups[""].lstrip("/")] if "" in groups else []
    return next((path for path in (*first, *second) if _oom_file(path).is_file()), None)


def _oom_file(group: Path) -> Path:
    """Where the kernel counts its kills."""
    old = group / "memory.oom_control"
    return old if old.exists() else group / "memory.events"


def _limit_of(group: Path) -> int | None:
    """The least limit of a group and those above it."""
    limits = []
    while group.is_relative_to(_CGROUPS) and group != _CGROUPS:
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):  # "max" is no limit
                limits.append(int((group / name).read_text(encoding="ascii")))
        group = group.parent
    return min(limits, default=None)


def _oom_kills(text: str) -> int:
    counts = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return int(counts.get("oom_kill", 0))
