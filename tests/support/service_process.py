"""A stand-in as a process of its own: ready when it says so, ended by its process id."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 180.0  # generous, because test machines are busy
_Answer = TypeVar("_Answer")


@dataclass
class ServiceProcess:
    """One running stand-in. ``state`` survives it, so that another can be started on what it left."""

    process: subprocess.Popen[bytes]
    state: Path
    log: Path
    endpoints: dict[str, Any] = field(repr=False)

    def kill(self) -> None:
        """End it without any warning, as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=120)

    def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=300)


@contextmanager
def ended_afterwards(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop the process at the end if it still runs."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=120)


def endpoints_once_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> dict[str, Any]:
    """Wait for the line that says that it is ready; what it wrote about where it is."""

    def ready() -> bool:
        text = log.read_text(encoding="utf-8")
        if process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode}:\n{text}")
        return any(line.startswith("ready ") and line.endswith(f"pid={process.pid}") for line in text.splitlines())

    eventually(ready, seconds=START_SECONDS)
    return dict(json.loads((state / "endpoints.json").read_text(encoding="utf-8")))


def eventually(ask: Callable[[], _Answer], *, seconds: float = 180.0) -> _Answer:
    """Ask again and again until the answer is truthy; fails with the last answer after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {seconds} s")
        time.sleep(0.02)
    return answer


@dataclass
class RestartableService:
    """A stand-in on one folder that may be killed and started again, on the port it had before: clients know that."""

    folder: Path
    arguments: tuple[str, ...] = ()
    endpoints: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def launch(self, module: str, *arguments: str) -> None:
        """Start it and wait until it has said where it is."""
        port = self.endpoints["url"].rpartition(":")[2] if self.endpoints else "0"
        file = self.state / "endpoints.json"
        file.unlink(missing_ok=True)
        command = [sys.executable, "-m", module, "--state", str(self.state), "--port", port, *arguments]
        with (self.folder / "log").open("ab") as log:
            process = self.process = subprocess.Popen([*command, *self.arguments], stdout=log, stderr=log, cwd=ROOT)
        eventually(lambda: file.is_file() or process.poll() is not None, seconds=START_SECONDS)
        assert process.poll() is None, self.log
        self.endpoints = json.loads(file.read_text(encoding="utf-8"))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=120)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=300)
