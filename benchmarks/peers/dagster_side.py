"""Dagster: a code server, the daemon and the web server, as its page on deploying as a service says."""

import shutil
from pathlib import Path
from typing import Any, Final

import requests

from benchmarks.peers.environments import HERE, environment_of
from benchmarks.peers.sides import Peer, Settings, free_ports, latest
from local_stack.app_client import Endpoints, Landed

CODE: Final = HERE / "with_dagster"
_RUNS: Final = "{ runsOrError(limit: 100) { ... on Runs { results { status creationTime tags { key value } } } } }"
_DAEMONS: Final = "{ instance { daemonHealth { allDaemonStatuses { daemonType healthy } } } }"


class Dagster(Peer):
    """The sensor looks at the hub by itself: events are of no use to it, and are not sent."""

    user_files = (HERE / "retraining.py", CODE / "definitions.py", CODE / "dagster.yaml")

    def __init__(self, folder: Path, training: Path, endpoints: Endpoints, settings: Settings) -> None:
        super().__init__(
            "dagster",
            marker=1000.000002,
            environment=environment_of("dagster"),
            folder=folder,
            training=training,
            endpoints=endpoints,
        )
        self.rest_seconds = 3.0 * settings.quiet + 30
        home = folder / "dagster-home"
        home.mkdir()
        shutil.copy(CODE / "dagster.yaml", home)
        self._code_port, self._web_port = free_ports(2)
        self._web = f"http://127.0.0.1:{self._web_port}"
        self._workspace = folder / "workspace.yaml"
        self._workspace.write_text(
            f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {self._code_port}, location_name: retraining}}}}]\n",
            encoding="utf-8",
        )
        self.settings |= {
            "DAGSTER_HOME": str(home),
            "QUIET_SECONDS": str(settings.quiet),
            "LONGEST_RUN": str(settings.longest_run),
        }

    def start(self) -> None:
        """One after the other, for whoever comes first makes the database; returns when the daemon has begun."""
        address = ("--host", "127.0.0.1", "--port", str(self._code_port))
        self.begin("code", "dagster", "api", "grpc", *address, "-f", CODE / "definitions.py")
        health = ("dagster", "api", "grpc-health-check", "--port", str(self._code_port))
        self.wait_until("the code server of Dagster", lambda: self.succeeds(*health))
        self.begin("web", "dagster-webserver", "-h", "127.0.0.1", "-p", str(self._web_port), "-w", self._workspace)
        self.wait_until("the web server of Dagster", lambda: requests.get(f"{self._web}/server_info", timeout=5).ok)
        self.begin("daemon", "dagster-daemon", "run", "-w", self._workspace)
        self.wait_until("the daemon of Dagster", self._looks)

    def deliver(self, blob: Landed, event_id: str) -> None:
        """Nobody listens."""

    def run_created(self, before: float) -> float:
        """As Dagster tells it."""
        return latest([run["creationTime"] for run in self._runs()], before)

    def account(self) -> str:
        """The states of its runs."""
        return ", ".join(run["status"] for run in reversed(self._runs()))

    def _looks(self) -> bool:
        daemons = self._ask(_DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return any(each["daemonType"] == "SENSOR" and each["healthy"] for each in daemons)

    def _runs(self) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self._ask(_RUNS)["runsOrError"]["results"]
        return runs

    def _ask(self, query: str) -> dict[str, Any]:
        answer = requests.post(f"{self._web}/graphql", json={"query": query}, timeout=30)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data
