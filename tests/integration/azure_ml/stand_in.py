"""The stand-in as a process, and what tests may ask of it besides its services."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.support.serving_host import wait_for

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class StandIn:
    """``python -m local_stack.azure_ml`` on one state folder; may be killed and started again."""

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

    def start(self) -> None:
        """On the port it had before, if it has run before: trainings under way know that one."""
        port = self.endpoints["url"].rpartition(":")[2] if self.endpoints else "0"
        file = self.state / "endpoints.json"
        file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "local_stack.azure_ml", "--state", str(self.state), "--port", port]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([*command, *self.arguments], stdout=log, stderr=log, cwd=ROOT)
        self.process = process
        wait_for(lambda: file.is_file() or process.poll() is not None, "the Azure ML stand-in")
        assert process.poll() is None, self.log
        self.endpoints = json.loads(file.read_text(encoding="utf-8"))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=30)

    def token(self) -> str:
        form = {"grant_type": "client_credentials"}
        form |= {name: self.endpoints[name] for name in ("client_id", "client_secret")}
        answer = self.request("POST", "/adfs/oauth2/token", data=form).json()
        return str(answer["access_token"])

    def request(self, method: str, path: str, *, token: str = "", **how: Any) -> requests.Response:
        headers = how.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        url = path if path.startswith("https:") else self.endpoints["url"] + path
        return requests.request(method, url, headers=headers, verify=self.endpoints["ca_bundle"], timeout=30, **how)

    def service(self, name: str) -> str:
        """The path below which a service answers for this workspace."""
        who = self.endpoints
        return (
            f"/{name}/subscriptions/{who['subscription_id']}/resourceGroups/{who['resource_group']}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{who['workspace']}"
        )

    def fault(self, path: str, **how: Any) -> None:
        headers = {"x-faults-key": self.endpoints["faults_key"]}
        self.request("POST", "/_faults", headers=headers, json={"path": path, **how}).raise_for_status()

    def clear_faults(self) -> None:
        headers = {"x-faults-key": self.endpoints["faults_key"]}
        self.request("DELETE", "/_faults", headers=headers).raise_for_status()

    def trainings(self, run_id: str) -> int:
        """Processes that were started on a VM for a run."""
        count: int = self.request("GET", "/_stats", token=self.token()).json()["trainings"].get(run_id, 0)
        return count
