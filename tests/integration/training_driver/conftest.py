import json
import os
import secrets
import shlex
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

from local_stack.demo_data import HOLDOUT_BLOB
from shared.messages import TrainingPhase
from shared.settings import AzureMl, Compute
from shared.training_code.job_folders import JobFolders
from shared.training_driver import TrainingJob
from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.client import APP_ROOT, Client
from tests.integration.training_driver.jobs import DATA, Job, hub_reader
from tests.integration.training_driver.site import Site
from tests.support.azurite import running_azurite
from tests.support.serving_host import wait_for
from tests.support.sshd import SshServer, running_sshd


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a hub's blob storage, shared by the tests; each uses containers of its own."""
    with running_azurite(Path(tmp_path_factory.mktemp("hub")), services=("blob",)) as accounts:
        yield accounts["testaccount"]


@pytest.fixture
def job(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    hubs.give_credentials(tmp_path, hub)
    new = Job(hub=hub, container=f"job-{secrets.token_hex(8)}")
    new.put({HOLDOUT_BLOB: DATA.holdout})
    return new


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job asks the hub again at once."""
    monkeypatch.setattr(hub_reader, "PAUSES", (0.0,) * len(hub_reader.PAUSES))


@dataclass
class AzureMlStandIn:
    """A running stand-in, its faults and its counters."""

    endpoints: dict[str, Any]

    def settings(self, **changes: Any) -> AzureMl:
        return AzureMl.model_validate(self.endpoints | changes)

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
    folder = tmp_path_factory.mktemp("azure-ml")
    state = folder / "state"
    command = [sys.executable, "-m", "local_stack.azure_ml", "--state", str(state)]
    with running(command, folder / "log", cwd=APP_ROOT):
        path = state / "endpoints.json"
        wait_for(path.is_file, "the Azure ML stand-in")
        yield AzureMlStandIn(json.loads(path.read_text(encoding="utf-8")))


@dataclass
class TrainingVm:
    """A VM that trains. ``compute`` is what the app's settings would say of it."""

    server: SshServer
    compute: Compute

    def leftovers(self) -> list[str]:
        """What trainings left in the home."""
        folder = self.server.home / "azureml"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="session")
def vm(tmp_path_factory: pytest.TempPathFactory, hub: str) -> Iterator[TrainingVm]:
    if not Path("/usr/sbin/sshd").exists():
        pytest.skip("needs OpenSSH's server: apt-get install openssh-server")
    with running_sshd(tmp_path_factory.mktemp("vm")) as server:
        hubs.give_credentials(server.home, hub)
        environments = server.home / "edgetrain/environments"
        jobs = JobFolders(APP_ROOT)
        for name in ("breast_cancer", "digits"):
            install_environment(environments / jobs.read(name).environment)
        compute = Compute(
            address=server.address,
            port=server.port,
            username=server.username,
            private_key=SecretStr(server.private_key_file.read_text(encoding="utf-8")),
            environments=str(environments),
        )
        yield TrainingVm(server, compute)


def install_environment(folder: Path) -> None:
    """The libraries of the tests themselves, which are those of the locks."""
    python = folder / "bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)  # pipelines with the same locks share one
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    python.chmod(0o755)


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
        # The SDK retries a failing call for up to four minutes otherwise.
        "AZUREML_DEFAULT_BACKOFF": "1",
        "AZUREML_DEFAULT_500_BACKOFF": "1",
        "AZUREML_DEFAULT_503_BACKOFF": "1",
    }
    return Client(azure_ml.settings(**changes), {"hub-vm": vm.compute}, environment)


@pytest.fixture(scope="session")
def site(client: Client, hub: str) -> Site:
    return Site(client, hub)


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
        process.wait(timeout=30)
