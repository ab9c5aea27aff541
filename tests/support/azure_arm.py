"""The stand-in for Azure Resource Manager as a process, with a registry whose small images it runs."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from azure.core.credentials import AccessToken
from azure.mgmt.appcontainers import ContainerAppsAPIClient

from local_stack.stack_hub.containers import mounts_below
from tests.support.scoring_image import ImageRegistry
from tests.support.service_process import RestartableService
from tests.support.serving_host import running_registry


@dataclass
class AzureArm(RestartableService):
    """``registry``: where its images come from."""

    registry: ImageRegistry = field(default_factory=lambda: ImageRegistry("", "", ""))

    @property
    def runtime(self) -> Path:
        return self.folder / "r"

    @property
    def tokens(self) -> Path:
        """Folder of the token service whose tokens it takes besides its own."""
        return self.folder / "tokens"

    def start(self) -> None:
        places = ("--runtime", str(self.runtime), "--registry", self.registry.address)
        issuer = self.tokens / "state" / "issuer.json"
        self.launch("local_stack.azure_arm", *places, "--provision-seconds", "0.2", "--issuer", str(issuer))

    def token(self) -> str:
        """A token, as the client credentials flow gives it."""
        who = self.endpoints
        reply = requests.post(
            f"{who['authority']}/{who['tenant_id']}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": who["client_id"],
                "client_secret": who["client_secret"],
                "scope": "https://management.azure.com/.default",
            },
            verify=who["ca_bundle"],
            timeout=30,
        )
        reply.raise_for_status()
        return str(reply.json()["access_token"])

    def sdk(self) -> Any:
        """Azure's own client; closed by the caller or never."""
        return ContainerAppsAPIClient(
            _Credential(self),
            self.endpoints["subscription_id"],
            base_url=self.endpoints["url"],
            connection_verify=self.endpoints["ca_bundle"],
            polling_interval=0,
        )

    def set_fault(self, **fault: Any) -> None:
        self._faults("POST", json=fault)

    def clear_faults(self) -> None:
        self._faults("DELETE")

    def _faults(self, method: str, **body: Any) -> None:
        headers = {"x-faults-key": self.endpoints["faults_key"]}
        where = f"{self.endpoints['url']}/_faults"
        requests.request(
            method, where, headers=headers, verify=self.endpoints["ca_bundle"], timeout=30, **body
        ).raise_for_status()

    def containers(self) -> list[str]:
        """Names of all containers of revisions."""
        return self.podman("ps", "--all", "--format", "{{.Names}}").split()

    def podman(self, *arguments: str) -> str:
        """The output of a podman command on its storage."""
        engine = self.state / "engine"
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "CONTAINERS_CONF": str(engine / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(engine / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(engine / "registries.conf"),
            "REGISTRY_AUTH_FILE": str(engine / "auth.json"),
        }
        ended = subprocess.run(
            ["podman", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


class _Credential:
    def __init__(self, arm: AzureArm) -> None:
        self._arm = arm

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        assert scopes == ("https://management.azure.com/.default",) or "127.0.0.1" in scopes[0], scopes
        return AccessToken(self._arm.token(), 2**31)


@contextmanager
def running_azure_arm(folder: Path, registry: ImageRegistry | None = None) -> Iterator[AzureArm]:
    """The stand-in below ``folder`` (keep its path short) until the ``with`` block ends; nothing of it is left."""
    if registry is None:
        with running_registry(folder / "registry") as started, running_azure_arm(folder, started) as arm:
            yield arm
        return
    arm = AzureArm(folder, registry=registry)
    arm.start()
    try:
        yield arm
    finally:
        if arm.process is not None and arm.process.poll() is None:
            arm.stop()
        arm.podman("rm", "--all", "--force", "--time", "0")
        for mount in mounts_below(folder):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(arm.state / "containers", ignore_errors=True)
