import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from shared.messages import TrainingPhase
from shared.settings import AzureMl, Compute
from shared.training_driver import TrainingJob
from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.client import APP_ROOT, Client
from tests.integration.training_driver.site import Site
from tests.support.azurite import running_azurite
from tests.support.identity import TokenService, token_service
from tests.support.job_installation import InstalledJob, install_for_tests
from tests.support.job_vm import push
from tests.support.podman import BASE, TestPodman, missing_podman, running_podman
from tests.support.serving_host import running_registry, wait_for
from tests.support.sshd import SshServer, running_sshd


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a hub's blob storage, shared by the tests; each uses containers of its own."""
    with running_azurite(Path(tmp_path_factory.mktemp("hub")), services=("blob",)) as accounts:
        yield accounts["testaccount"]


@dataclass
class AzureMlStandIn:
    """A running stand-in, its faults and its counters."""

    endpoints: dict[str, Any]
    tokens: TokenService | None = None

    def settings(self, **changes: Any) -> AzureMl:
        """Without a secret where tokens are issued: by the app's identity. ``changes`` may name a service principal."""
        by_identity = self.tokens is not None and "client_secret" not in changes
        without = {"client_secret": None, "client_id": ""} if by_identity else {}
        return AzureMl.model_validate(self.endpoints | without | changes)

    def fault(self, path: str, **how: Any) -> None:
        self._post("POST", {"path": path, **how})

    def clear_faults(self) -> None:
        self._post("DELETE", {})

    def trainings(self, run_id: str) -> int:
        """How often a process was started on a VM for this run."""
        count: int = self._stats()["trainings"].get(run_id, 0)
        return count

    def attachments(self, compute: str) -> int:
        """How often a compute was attached, or attached over."""
        count: int = self._stats()["attachments"].get(compute, 0)
        return count

    def requests_seen(self, service: str) -> int:
        count: int = self._stats()["requests"].get(service, 0)
        return count

    def _stats(self) -> Any:
        url, bundle = self.endpoints["url"], self.endpoints["ca_bundle"]
        form = {"grant_type": "client_credentials"} | {
            name: self.endpoints[name] for name in ("client_id", "client_secret")
        }
        token = requests.post(f"{url}/adfs/oauth2/token", data=form, verify=bundle, timeout=30).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{url}/_stats", headers=headers, verify=bundle, timeout=30).json()

    def _post(self, method: str, body: dict[str, Any]) -> None:
        requests.request(
            method,
            f"{self.endpoints['url']}/_faults",
            json=body,
            headers={"x-faults-key": self.endpoints["faults_key"]},
            verify=self.endpoints["ca_bundle"],
            timeout=30,
        ).raise_for_status()


@pytest.fixture(scope="session")
def azure_ml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureMlStandIn]:
    folder, identity = tmp_path_factory.mktemp("azure-ml"), tmp_path_factory.mktemp("identity")
    state = folder / "state"
    command = [sys.executable, "-m", "local_stack.azure_ml", "--state", str(state)]
    with running([*command, "--issuer", str(identity / "state" / "issuer.json")], folder / "log", cwd=APP_ROOT):
        path = state / "endpoints.json"
        wait_for(path.is_file, "the Azure ML stand-in")
        endpoints = json.loads(path.read_text(encoding="utf-8"))
        with token_service(identity, "--resource", endpoints["url"]) as tokens:
            yield AzureMlStandIn(endpoints, tokens)


@dataclass
class TrainingVm:
    """A VM that trains with an installed job. ``compute`` is what the app's settings would say of it."""

    server: SshServer
    compute: Compute
    installed: InstalledJob
    podman: TestPodman
    registry: str
    image: str

    def leftovers(self) -> list[str]:
        """What trainings left: folders in the home, containers."""
        folder = self.server.home / "azureml"
        folders = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return folders + self.podman.names()


@pytest.fixture(scope="session")
def vm(tmp_path_factory: pytest.TempPathFactory, hub: str) -> Iterator[TrainingVm]:
    if not Path("/usr/sbin/sshd").exists():
        pytest.skip("needs OpenSSH's server: apt-get install openssh-server")
    if reason := missing_podman("docker-registry"):
        pytest.skip(reason)
    with (
        running_registry(tmp_path_factory.mktemp("registry")) as registry,
        running_podman(tmp_path_factory.mktemp("podman"), registry.address) as podman,
        running_sshd(tmp_path_factory.mktemp("vm")) as server,
    ):
        hubs.give_credentials(server.home, hub)
        podman.import_base()
        image = push(podman, registry, BASE, f"{registry.address}/scoring/tiny", tmp_path_factory.mktemp("push"))
        installed = install_for_tests(
            server.home, path=podman.environment["PATH"], engine_environment=podman.environment, registry=registry
        )
        compute = Compute(
            address=server.address,
            port=server.port,
            username=server.username,
            private_key=SecretStr(server.private_key_file.read_text(encoding="utf-8")),
            home=str(server.home),
            receipt_key=server.vm.receipt_key(),
        )
        yield TrainingVm(server, compute, installed, podman, registry.address, image)


@pytest.fixture(scope="session")
def client(azure_ml: AzureMlStandIn, vm: TrainingVm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    new = new_client(azure_ml, vm, tmp_path_factory.mktemp("client"))
    yield new
    new.close()


def new_client(azure_ml: AzureMlStandIn, vm: TrainingVm, home: Path, **changes: Any) -> Client:
    bundle = azure_ml.endpoints["ca_bundle"]
    environment = {
        "HOME": str(home),
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        **(azure_ml.tokens.environment if azure_ml.tokens else {}),
        # The SDK retries a failing call for up to four minutes otherwise.
        "AZUREML_DEFAULT_BACKOFF": "1",
        "AZUREML_DEFAULT_500_BACKOFF": "1",
        "AZUREML_DEFAULT_503_BACKOFF": "1",
    }
    return Client(azure_ml.settings(**changes), {"hub-vm": vm.compute}, environment)


@pytest.fixture(scope="session")
def site(client: Client, hub: str, vm: TrainingVm) -> Site:
    return new_site(client, hub, vm)


def new_site(client: Client, hub: str, vm: TrainingVm) -> Site:
    return Site(client, hub, vm.registry, vm.image, vm.installed)


@pytest.fixture(scope="session")
def trained(site: Site) -> TrainingJob:
    """A job that has been trained, for the tests that only read what it left."""
    job = site.job()
    site.client.driver("submit", job)
    status = site.end(job)
    assert status.phase is TrainingPhase.COMPLETED, status.detail
    return job


@contextmanager
def running(command: list[str], log: Path, *, cwd: Path | None = None) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=cwd, env=dict(os.environ))
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=120)
