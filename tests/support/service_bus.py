"""A real Service Bus broker process for a test: free loopback port, ready when it says so, ended by its process id."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.functions_host import ROOT, START_SECONDS, eventually

LOCK_SECONDS: Final = 2


def a_queue(name: str, **properties: Any) -> dict[str, Any]:
    """A queue of a configuration file, with short locks."""
    return {"Name": name, "Properties": {"LockDuration": f"PT{LOCK_SECONDS}S", "MaxDeliveryCount": 3, **properties}}


def write_entities(path: Path, *queues: dict[str, Any], topics: tuple[dict[str, Any], ...] = ()) -> Path:
    """Write a configuration file in the emulator's shape."""
    namespace = {"Name": "sbemulatorns", "Queues": queues, "Topics": topics}
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}), encoding="utf-8")
    return path


@dataclass
class BrokerProcess:
    """One running broker. ``state`` and the port survive it."""

    process: subprocess.Popen[bytes]
    log: Path
    endpoints: dict[str, Any] = field(repr=False)

    @property
    def connection_string(self) -> str:
        """What clients connect with."""
        return str(self.endpoints["connection_string"])

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(str(self.endpoints["url"]).rpartition(":")[2])

    def kill(self) -> None:
        """End it without any warning, as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=30)

    def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)


def start_broker(state: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start the broker's command line without waiting for anything; both outputs go to ``STATE.log``."""
    command = [sys.executable, "-m", "local_stack.service_bus", "--state", str(state)]
    with state.with_name(f"{state.name}.log").open("ab") as output:
        return subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)


@contextmanager
def running_broker(state: Path, entities: Path | None = None, *, port: int = 0) -> Iterator[BrokerProcess]:
    """Run a broker with its files below ``state``, and stop it at the end if it still runs."""
    config = ["--config", str(entities)] if entities else []
    process = start_broker(state, "--port", str(port), *config)
    log = state.with_name(f"{state.name}.log")
    try:
        yield BrokerProcess(process, log, _endpoints_once_ready(process, state, log))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=30)


def _endpoints_once_ready(process: "subprocess.Popen[bytes]", state: Path, log: Path) -> dict[str, Any]:
    def ready() -> bool:
        text = log.read_text(encoding="utf-8")
        if process.poll() is not None:
            raise AssertionError(f"the broker ended with {process.returncode}:\n{text}")
        return f"pid={process.pid}\n" in text

    eventually(ready, seconds=START_SECONDS)
    return dict(json.loads((state / "endpoints.json").read_text(encoding="utf-8")))
