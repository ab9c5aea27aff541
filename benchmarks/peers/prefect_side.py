"""Prefect: a server, and a process that serves the flow, as its page on debouncing events says."""

import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests

from benchmarks.peers.environments import HERE, environment_of
from benchmarks.peers.sides import Peer, Settings, free_ports, latest
from local_stack.app_client import Endpoints, Landed

FLOW: Final = HERE / "with_prefect" / "flow.py"
_AUTOMATIONS: Final = 2  # the trigger of the deployment, and that for runs that were killed


class Prefect(Peer):
    """Events go to the server's API, one request each; who translates those of Event Grid is not counted."""

    takes_events = True
    user_files = (HERE / "retraining.py", FLOW)

    def __init__(self, folder: Path, training: Path, endpoints: Endpoints, settings: Settings) -> None:
        super().__init__(
            "prefect",
            marker=1000.000003,
            environment=environment_of("prefect"),
            folder=folder,
            training=training,
            endpoints=endpoints,
        )
        self.rest_seconds = settings.window + 60.0
        (self._port,) = free_ports(1)
        self._url = f"http://127.0.0.1:{self._port}/api"
        self._first = True
        self._own = threading.local()
        self.settings |= {
            "PREFECT_HOME": str(folder / "prefect-home"),
            "PREFECT_API_URL": self._url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "WINDOW_SECONDS": str(settings.window),
        }

    def start(self) -> None:
        """Returns when the flow is served and its triggers are known."""
        self.begin("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self._port))
        self.wait_until("the server of Prefect", lambda: requests.get(f"{self._url}/health", timeout=5).ok)
        self.begin("flow", "python", FLOW, *(["--first"] if self._first else []))
        self._first = False
        self.wait_until("the deployment", lambda: len(self._ask("deployments")) == 1)
        self.wait_until("the automations", lambda: len(self._ask("automations")) == _AUTOMATIONS)

    def deliver(self, blob: Landed, event_id: str) -> None:
        """An event of the container, told to the server; told again, it has the same id."""
        event = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._url}/{blob.name}/{event_id}")),
            "occurred": datetime.now(UTC).isoformat(),
            "event": "hub.blob.created",
            "resource": {"prefect.resource.id": "hub.container"},
            "payload": {"blob": blob.name, "etag": blob.etag},
        }
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        self._own.session.post(f"{self._url}/events", json=[event], timeout=120).raise_for_status()

    def run_created(self, before: float) -> float:
        """When the run was due, not when it was scheduled."""
        times = [datetime.fromisoformat(run["expected_start_time"]).timestamp() for run in self._ask("flow_runs")]
        return latest(times, before)

    def account(self) -> str:
        """The states of its runs."""
        return ", ".join(sorted(run["state_name"] for run in self._ask("flow_runs")))

    def _ask(self, what: str) -> list[dict[str, Any]]:
        answer = requests.post(f"{self._url}/{what}/filter", json={}, timeout=30)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found
