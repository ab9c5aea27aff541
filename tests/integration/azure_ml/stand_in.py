"""The stand-in as a process, and what tests may ask of it besides its services."""

from typing import Any

import requests

from tests.support.service_process import RestartableService


class StandIn(RestartableService):
    """``python -m local_stack.azure_ml`` on one state folder; may be killed and started again."""

    def start(self) -> None:
        self.launch("local_stack.azure_ml")

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
