"""edgetrain on the whole local stack: the app in the local Functions host, the training on the stack's VM."""

import threading
from datetime import datetime
from typing import Final

import requests

from benchmarks.peers.sides import PAUSE_SECONDS, Settings, latest, parameters
from local_stack.app_client import AppClient, Landed, blob_created
from local_stack.processes.client import REPOSITORY
from local_stack.supervisor import Stack
from local_stack.supervisor.event_grid import webhook
from tests.support.changed_app import ChangedApp

PIPELINE: Final = "edgetrain"
_MEASURED: Final = ("functions_host", "cloud_storage")


class Edgetrain:
    """Events go to the app's webhook, one request each, as Event Grid sends them."""

    name = PIPELINE
    container = PIPELINE
    repository = f"models/{PIPELINE}"
    marker = 1000.000001
    takes_events = True
    user_files = (REPOSITORY / "pipelines" / "breast-cancer.yaml",)
    """As a person writes it: the one that is used has the same fields in another layout."""

    def __init__(self, stack: Stack, app: AppClient, settings: Settings) -> None:
        self.rest_seconds = settings.quiet + 30.0
        self._stack = stack
        self._app = app
        self._own = threading.local()

    @staticmethod
    def add_pipeline(changed: ChangedApp, settings: Settings) -> None:
        """The pipeline's file: all that a user writes besides the training itself."""
        changed.let_training_pause()
        changed.add_pipeline(
            PIPELINE,
            data={"container": PIPELINE},
            settle={"quiet_seconds": settings.quiet, "longest_wait_seconds": 3600},
            train={
                "parameters": dict(parameters(Edgetrain.marker)),
                "running_limit_seconds": settings.longest_run,
                "expected_seconds": PAUSE_SECONDS + 15,  # of the whole job, not of the program alone
            },
        )

    def start(self) -> None:
        """Start the host again; it runs when the stack does."""
        if "functions_host" not in self.processes():
            self._stack.start_service("functions_host")

    def processes(self) -> dict[str, int]:
        """The host, and the storage account that it keeps its state in: the peers' own databases are measured too."""
        return {
            each.name: each.pid
            for each in self._stack.status()
            if each.name in _MEASURED and each.pid is not None and each.state.value == "ready"
        }

    def deliver(self, blob: Landed, event_id: str) -> None:
        """The event of an upload; delivered again, it has the same id."""
        host = self._stack.endpoints["functions_host"] if not hasattr(self._own, "session") else {}
        if host:
            self._own.session = requests.Session()
            self._own.url = webhook(host["url"].rstrip("/"), host["event_grid_key"])
            self._own.endpoints = self._stack.endpoints
        headers = {"aeg-event-type": "Notification", "aeg-delivery-count": "0"}
        event = blob_created(self._own.endpoints, blob, event_id=event_id)
        self._own.session.post(self._own.url, json=[event], headers=headers, timeout=120).raise_for_status()

    def run_created(self, before: float) -> float:
        """When the run was asked for: its window had closed."""
        times = [datetime.fromisoformat(run["requested_at"]).timestamp() for run in self._app.runs(PIPELINE)]
        return latest(times, before)

    def kill(self) -> None:
        """SIGKILL to the host: all that edgetrain runs besides the training, which is on another machine."""
        self._stack.kill("functions_host")

    def account(self) -> str:
        """The outcomes of its runs."""
        return ", ".join(run["outcome"] or run["stage"] for run in reversed(self._app.runs(PIPELINE)))
