"""A real Functions host process for a test: free loopback ports, ready when it says so, stopped by its process id."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import requests

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLE_APP: Final = Path(__file__).resolve().parent / "sample_function_app"
START_SECONDS: Final = 60.0  # generous, because test machines are busy
_Answer = TypeVar("_Answer")


@dataclass
class HostProcess:
    """One running host. ``state`` survives it, so that another can be started on the same store."""

    process: subprocess.Popen[bytes]
    state: Path
    log: Path
    endpoints: dict[str, Any] = field(repr=False)

    @property
    def url(self) -> str:
        """Public base URL, no trailing slash."""
        return str(self.endpoints["url"])

    @property
    def durable_url(self) -> str:
        """Base of the keyless durable API."""
        return f"{self.endpoints['rpc_url']}/durabletask"

    @property
    def master(self) -> dict[str, str]:
        """Headers that open everything."""
        return {"x-functions-key": str(self.endpoints["master_key"])}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request to the public port, on a connection of its own."""
        return requests.request(method, f"{self.url}{path}", timeout=60, allow_redirects=False, **options)

    def durable(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request to the keyless durable API."""
        return requests.request(method, f"{self.durable_url}/{path}", timeout=60, **options)

    def journal(self, kind: str) -> list[dict[str, Any]]:
        """What the sample app noted under this kind."""
        path = self.state / "journal"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]

    def kill(self) -> None:
        """End it without any warning, as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=30)

    def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)


@contextmanager
def running_host(
    state: Path, *arguments: str, app: Path = SAMPLE_APP, settings: Mapping[str, str] | None = None
) -> Iterator[HostProcess]:
    """Run a host on free ports with its files below ``state``, and stop it at the end if it still runs.

    ``settings`` are added to its environment.
    """
    log = state.parent / f"{state.name}.log"
    process = start_process(state, log, app, "--port", "0", *arguments, settings=settings)
    try:
        yield HostProcess(process, state, log, _endpoints_once_ready(process, state, log))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=30)


def start_process(
    state: Path, log: Path, app: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start the host's command line without waiting for anything; both outputs go to ``log``."""
    given: Mapping[str, str] = {
        "SAMPLE_JOURNAL": str(state / "journal"),
        "SAMPLE_SCHEDULE": "0 0 0 1 1 *",
        **(settings or {}),
    }
    command = [sys.executable, "-m", "local_stack.functions_host", "--app-root", str(app), "--state", str(state)]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, *arguments], cwd=ROOT, env={**os.environ, **given}, stdout=output, stderr=subprocess.STDOUT
        )


def eventually(look: Callable[[], _Answer], *, seconds: float = 30.0) -> _Answer:
    """Look again and again until the answer is truthy; fails with the last answer after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {seconds} s")
        time.sleep(0.02)
    return answer


def _endpoints_once_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> dict[str, Any]:
    marker = f"pid={process.pid}\n"

    def ready() -> bool:
        text = log.read_text(encoding="utf-8")
        if process.poll() is not None:
            raise AssertionError(f"the host ended with {process.returncode}:\n{text}")
        return any(line.startswith("ready ") and line.endswith(marker) for line in text.splitlines(keepends=True))

    eventually(ready, seconds=START_SECONDS)
    return dict(json.loads((state / "endpoints.json").read_text(encoding="utf-8")))
