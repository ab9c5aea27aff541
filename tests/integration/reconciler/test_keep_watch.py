"""The reconciler on a real host, over real tables and blobs. Its timer is fired by hand, as an operator can."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from shared.decisions.training.compute_queue import ask
from shared.messages import ComputeTicket, ObservedChange, Outcome, QueueRule, RunEnd, RunRequest
from shared.settings import HUB_API_VERSION
from shared.values.wire import from_wire
from tests.support.arrivals import a_pipeline
from tests.support.azurite import running_azurite
from tests.support.builders import a_run_request
from tests.support.functions_host import HostProcess, running_host
from tests.support.service_process import ROOT, eventually
from tests.support.workflow import START

LONG = {"quiet_seconds": 3600, "longest_wait_seconds": 86400}  # a window that stays open for the whole test


@dataclass
class Site:
    """A host with the app, the ledger that it works on, and the hub's container."""

    host: HostProcess
    ledger: Ledger
    container: ContainerClient

    def fires(self) -> None:
        """Run the timer function by hand, and wait for the line that every pass ends with."""
        cycles = self.cycles
        answer = self.host.call("POST", "/admin/functions/keep_watch", headers=self.host.master, json={"input": ""})
        assert answer.status_code == 202, answer.text
        eventually(lambda: self.cycles > cycles, seconds=60)

    @property
    def log(self) -> str:
        return self.host.log.read_text(encoding="utf-8")

    @property
    def cycles(self) -> int:
        return self.log.count("cycle over ")

    def instance(self, instance_id: str) -> dict[str, Any]:
        answer = self.host.durable("GET", f"instances/{instance_id}?showInput=true")
        return dict(json.loads(answer.text)) if answer.text else {}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("watching")
    with running_azurite(folder / "azurite") as connections:
        storage = connections["testaccount"]
        with (
            BlobServiceClient.from_connection_string(storage, api_version=HUB_API_VERSION) as service,
            closing(Ledger(StorageAccess.of(storage), "edgetrain")) as ledger,
            running_host(folder / "state", "--enforce-keys", app=ROOT, settings=_settings(folder, storage)) as host,
        ):
            yield Site(host, ledger, service.create_container("breast-cancer"))


def _settings(folder: Path, storage: str) -> dict[str, str]:
    """The app's settings. What trains and serves is an address that nobody listens on."""
    pipelines = folder / "app" / "pipelines"
    pipelines.mkdir(parents=True)
    (folder / "app" / "training").symlink_to(ROOT / "training")
    text = yaml.safe_dump(a_pipeline().model_dump(mode="json", exclude_none=True) | {"settle": LONG})
    (pipelines / "breast-cancer.yaml").write_text(text, encoding="utf-8")
    ssh = {"ADDRESS": "127.0.0.1", "PORT": "9", "USERNAME": "nobody", "PRIVATE_KEY": "none"}
    azure_ml = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE")
    return {
        "AzureWebJobsStorage": storage,
        "AzureWebJobs.on_training_request.Disabled": "true",
        "EDGETRAIN_APP_ROOT": str(folder / "app"),
        "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": storage,
        "EDGETRAIN_CONTAINER_REGISTRY__URL": "http://127.0.0.1:9",
        **{
            f"EDGETRAIN_{kind}__HUB_VM__{name}": value
            for kind in ("COMPUTES", "TARGETS")
            for name, value in ssh.items()
        },
        **{f"EDGETRAIN_AZURE_ML__{name}": "none" for name in azure_ml},
    }


def test_data_lands_and_nobody_tells(site: Site) -> None:
    site.container.upload_blob("holdout/holdout.csv", b"1,2\n")
    site.fires()
    assert site.ledger.arrivals.unfinished_windows() == []  # a hold-out alone is nothing to train on

    for number in range(3):
        site.container.upload_blob(f"landing/part-{number}.csv", b"1,2\n")
    site.fires()

    [found] = site.ledger.arrivals.unfinished_windows()
    assert found.started
    assert site.instance(found.window.window_id)["runtimeStatus"] == "Running"
    state = site.ledger.arrivals.window_state(found.window, settle=a_pipeline().settle)
    assert (state.arrivals, state.size) == (3, 12)

    site.container.upload_blob("landing/part-3.csv", b"1,2\n")
    site.fires()

    [again] = site.ledger.arrivals.unfinished_windows()
    assert again.window == found.window
    assert site.ledger.arrivals.window_state(found.window, settle=a_pipeline().settle).arrivals == 4


def test_a_window_that_nobody_started_is_started(site: Site) -> None:
    opened_at = datetime.now(UTC) - timedelta(hours=1)
    window = site.ledger.arrivals.open_window("forgotten", at=opened_at, change=ObservedChange(files=1, size=1))
    assert window is not None

    site.fires()

    # There is no such pipeline, so its arrivals are told so, and the window is gone.
    verdict = site.ledger.arrivals.verdict_on("forgotten", window.window_id)
    assert verdict is not None
    assert "'forgotten'" in verdict.reason
    assert "forgotten" not in [found.window.pipeline for found in site.ledger.arrivals.unfinished_windows()]


def test_a_run_is_started_when_nobody_did_and_wound_up_when_it_is_terminated(site: Site) -> None:
    _occupied(site)
    run = site.ledger.runs.claim_run(a_run_request(schema=2, requested_at=datetime.now(UTC) - timedelta(hours=1)))
    site.fires()
    eventually(lambda: site.instance(f"{run.run_id}-compute").get("runtimeStatus") == "Running")
    assert from_wire(RunRequest, json.loads(site.instance(run.run_id)["input"])) == run

    site.host.durable("POST", f"instances/{run.run_id}/terminate?reason=wrong+data")
    eventually(lambda: site.instance(run.run_id)["runtimeStatus"] == "Terminated")
    site.fires()

    finalization = site.instance(f"{run.run_id}-wind-up")
    end = from_wire(RunEnd, json.loads(finalization["input"]))
    assert end.record.outcome is Outcome.CANCELLED
    assert end.record.reason.endswith("wrong data")
    eventually(lambda: site.instance(f"{run.run_id}-compute")["runtimeStatus"] == "Terminated")


def test_an_orchestration_that_failed_tells_why(site: Site) -> None:
    """The real status of a failure: here of an input that no such orchestration can read."""
    run = a_run_request(
        run_id="breast-cancer-cdcdcdcdcdcd-1", fingerprint="cd" * 32, requested_by="other", requested_at=START
    )
    site.host.durable("POST", f"orchestrators/retrain_model/{run.run_id}", json={"run_id": "?"})
    eventually(lambda: site.instance(run.run_id).get("runtimeStatus") == "Failed")
    site.ledger.runs.claim_run(run)

    site.fires()

    end = from_wire(RunEnd, json.loads(site.instance(f"{run.run_id}-wind-up")["input"]))
    assert end.record.outcome is Outcome.FAILED
    assert "RunRequest: field " in end.record.reason


def test_the_log_has_one_line_a_cycle_and_no_trouble(site: Site) -> None:
    site.fires()

    last = [line for line in site.log.splitlines() if "cycle over " in line][-1]
    assert "1 pipeline " in last
    assert "failed:" not in last


def _occupied(site: Site) -> None:
    """A run of somebody else's has the compute."""
    ticket = ComputeTicket(
        compute="hub-vm",
        run_id="other-abababababab-1",
        pipeline="other",
        rule=QueueRule(),
        asked_at=START,
        expected_seconds=3600,
    )
    site.ledger.computes.change("hub-vm", lambda state: ask(state, ticket, 1, datetime.now(UTC)))
