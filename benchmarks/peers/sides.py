"""What every side is to the benchmark: somebody who is told of files, and starts trainings."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import requests

from benchmarks.peers.watching import MARKER, kill_all
from local_stack.app_client import Endpoints, Landed, deadline
from local_stack.demo_data import HOLDOUT_BLOB

START_SECONDS: Final = 180.0
PAUSE_SECONDS: Final = 15.0
"""How long the training waits before it fits, on every side, so that it can be killed in the middle."""
HOLDOUT: Final = HOLDOUT_BLOB
_CLOCKS: Final = 1.0  # what is told of one moment may differ by this much


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all sides are told alike. ``window``: Prefect's; it counts from the first event, not from the last."""

    quiet: int
    window: int
    longest_run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is done on every side. ``kill_wait``: how long a model may take after the kill."""

    files: int
    landing_seconds: float
    idle_seconds: float
    kill_wait: float
    settings: Settings


class Side(Protocol):
    """One of those that are compared."""

    name: str
    takes_events: bool
    rest_seconds: float
    """How long after the last event it may still start something."""

    @property
    def user_files(self) -> Sequence[Path]: ...
    @property
    def container(self) -> str: ...
    @property
    def repository(self) -> str: ...
    @property
    def marker(self) -> float: ...
    def processes(self) -> dict[str, int]: ...
    def deliver(self, blob: Landed, event_id: str) -> None: ...
    def run_created(self, before: float) -> float: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...
    def account(self) -> str: ...


class Peer:
    """A peer's processes: its own environment, home and ports; subclasses say what is started and how it is asked."""

    takes_events = False

    def __init__(
        self, name: str, *, marker: float, environment: Path, folder: Path, training: Path, endpoints: Endpoints
    ) -> None:
        self.name = name
        self.container = name
        self.repository = f"models/{name}"
        self.marker = marker
        self.folder = folder
        self._bin = environment / "bin"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        hub, registry = endpoints["hub_storage"], endpoints["container_registry"]
        self.settings: dict[str, str] = {
            "HOME": str(folder),
            "DO_NOT_TRACK": "1",
            "HUB_CONNECTION": hub["connection_string"],
            "HUB_CONTAINER": name,
            "REGISTRY": registry["url"],
            "REGISTRY_USERNAME": registry["username"],
            "REGISTRY_PASSWORD": registry["password"],
            "REPOSITORY": self.repository,
            "TRAINING": str(training),
            "PARAMETERS": f"{MARKER} {marker!r} --pause-seconds {PAUSE_SECONDS!r}",
        }

    def processes(self) -> dict[str, int]:
        """What runs now."""
        return {name: process.pid for name, process in self._running.items()}

    def kill(self) -> None:
        """SIGKILL to all of it, its runs and their trainings included."""
        kill_all(process.pid for process in self._running.values())
        for process in self._running.values():
            process.wait()
        self._running.clear()

    def begin(self, name: str, program: str, *arguments: str | Path) -> None:
        """Start a program of the environment; what it says is in a file."""
        command = [str(self._bin / program), *map(str, arguments)]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, cwd=self.folder, env=os.environ | self.settings, stdout=log, stderr=subprocess.STDOUT
            )

    def succeeds(self, program: str, *arguments: str) -> bool:
        """Whether a program of the environment says that all is well."""
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(command, env=os.environ | self.settings, capture_output=True, check=False, timeout=60)
        return done.returncode == 0

    def wait_until(self, what: str, is_so: Any) -> None:
        """Raises with the ends of all logs when a process ends before it is so, or it takes too long."""
        try:
            for _ in deadline(START_SECONDS, what):
                for name, process in self._running.items():
                    assert process.poll() is None, f"{name} has ended with status {process.returncode}"
                try:
                    if is_so():
                        return
                except (requests.RequestException, KeyError):
                    continue
        except (AssertionError, TimeoutError) as error:
            logs = (f"{file.name}: {file.read_text(errors='replace')[-2000:]}" for file in self.folder.glob("*.log"))
            raise AssertionError(f"{self.name}: {error}\n" + "\n".join(logs)) from error


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody has now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def latest(times: Sequence[float], before: float) -> float:
    """The run that a training belongs to: the last one that was there when it began."""
    found = [each for each in times if each <= before + _CLOCKS]
    assert found, "a training began, and there is no run that it could belong to"
    return max(found)


def parameters(marker: float) -> Mapping[str, float]:
    """What the pipeline's training takes."""
    return {"inverse_regularisation": 0.3, "most_iterations": marker, "pause_seconds": PAUSE_SECONDS}
