"""A real Service Bus broker process for a test: free loopback port, ready when it says so, ended by its process id."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.service_process import ROOT, ServiceProcess, ended_afterwards, endpoints_once_ready

LOCK_SECONDS: Final = 6
"""Enough to settle what was received, on a busy machine too; some tests wait until it is over."""


def a_queue(name: str, **properties: Any) -> dict[str, Any]:
    """A queue of a configuration file, with short locks."""
    return {"Name": name, "Properties": {"LockDuration": f"PT{LOCK_SECONDS}S", "MaxDeliveryCount": 3, **properties}}


def write_entities(path: Path, *queues: dict[str, Any], topics: tuple[dict[str, Any], ...] = ()) -> Path:
    """Write a configuration file in the emulator's shape."""
    namespace = {"Name": "sbemulatorns", "Queues": queues, "Topics": topics}
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}), encoding="utf-8")
    return path


class BrokerProcess(ServiceProcess):
    """One running broker."""

    @property
    def connection_string(self) -> str:
        """What clients connect with."""
        return str(self.endpoints["connection_string"])

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(str(self.endpoints["url"]).rpartition(":")[2])


def start_broker(state: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start the broker's command line without waiting for anything; both outputs go to ``STATE.log``."""
    command = [sys.executable, "-m", "local_stack.service_bus", "--state", str(state)]
    with state.with_name(f"{state.name}.log").open("ab") as output:
        return subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)


def an_address() -> str:
    """A loopback address for a namespace, which no other test process has."""
    high, low = divmod(os.getpid() % 2**16, 256)
    return f"127.8.{high}.{low}"


@contextmanager
def running_broker(
    state: Path, entities: Path | None = None, *, port: int = 0, issuer: Path | None = None, namespace: str = ""
) -> Iterator[BrokerProcess]:
    """Run a broker with its files below ``state``, and stop it at the end if it still runs."""
    config = ["--config", str(entities)] if entities else []
    config += ["--issuer", str(issuer)] if issuer else []
    config += ["--namespace", namespace] if namespace else []
    process = start_broker(state, "--port", str(port), *config)
    log = state.with_name(f"{state.name}.log")
    with ended_afterwards(process):
        yield BrokerProcess(process, state, log, endpoints_once_ready(process, state, log))
