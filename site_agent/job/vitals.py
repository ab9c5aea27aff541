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
        self._namespace = _opened(Path(f"/proc/{pid}/ns/net"))
        self._memory = _oom_file(pid)
        self._kills = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the kernel's files."""
        for descriptor in (self._pidfd, self._namespace):
            if descriptor is not None:
                os.close(descriptor)
        self._pidfd = self._namespace = None

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
                self._kills = max(self._kills, _oom_kills(self._memory.read_text(encoding="ascii")))
        return self._kills > 0

    def network(self) -> Network:
        """What went through its interfaces so far; also after its end, from the namespace that is held open."""
        if self._namespace is None:
            return Network()
        with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
            read = subprocess.run(
                [
                    *self._inside,
                    "nsenter",
                    f"--net=/proc/{os.getpid()}/fd/{self._namespace}",
                    "cat",
                    "/proc/self/net/dev",
                ],
                capture_output=True,
                check=True,
                timeout=20,
            )
            return network_of(read.stdout.decode("ascii", "replace"))
        return Network()


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


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _oom_file(pid: int) -> Path | None:
    """Where the kernel counts its kills: ``memory.events`` of version 2, ``memory.oom_control`` of version 1."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    groups = {name: path for _, name, path in (line.split(":", 2) for line in lines)}
    candidates = [_CGROUPS / groups[""].lstrip("/") / "memory.events"] if "" in groups else []
    candidates += [
        _CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control"
        for names, path in groups.items()
        if "memory" in names.split(",")
    ]
    return next((path for path in candidates if path.is_file()), None)


def _oom_kills(text: str) -> int:
    counts = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return int(counts.get("oom_kill", 0))
