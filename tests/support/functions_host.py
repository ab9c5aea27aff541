"""A real Functions host process for a test: free loopback ports, ready when it says so, stopped by its process id."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from tests.support.service_process import ROOT, ServiceProcess, ended_afterwards, endpoints_once_ready

SAMPLE_APP: Final = Path(__file__).resolve().parent / "sample_function_app"


class HostProcess(ServiceProcess):
    """One running host."""

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


@contextmanager
def running_host(
    state: Path, *arguments: str, app: Path = SAMPLE_APP, settings: Mapping[str, str] | None = None
) -> Iterator[HostProcess]:
    """Run a host on free ports with its files below ``state``, and stop it at the end if it still runs.

    ``settings`` are added to its environment.
    """
    log = state.parent / f"{state.name}.log"
    process = start_process(state, log, app, "--port", "0", *arguments, settings=settings)
    with ended_afterwards(process):
        yield HostProcess(process, state, log, endpoints_once_ready(process, state, log))


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
