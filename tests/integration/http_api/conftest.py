"""The real app in the local Functions host, over a real ledger and a real hub that have something to tell.

Nothing trains here: the address of Azure ML is none, so a run that is started is refused and ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from activities.admission_evaluation import AdmissionEvaluator
from activities.admit_run import admit_run
from shared.clients.host_storage import StorageAccess
from shared.clients.hub_storage import Hubs
from shared.clients.ledger import Ledger
from shared.messages import (
    AdmissionRequest,
    Cause,
    FailedAttempt,
    Outcome,
    Quarantine,
    RejectedEvent,
    RunRequest,
    Verdict,
    WindowVerdict,
)
from shared.pipelines import Pipelines
from shared.settings import HUB_API_VERSION, Site
from shared.training_code.job_folders import JobFolders
from tests.support.arrivals import an_arrival
from tests.support.azurite import a_storage_key, running_azurite
from tests.support.functions_host import HostProcess, running_host
from tests.support.jobs import MemoryJobs
from tests.support.ledger_arrivals import join
from tests.support.service_process import ROOT
from tests.support.workflow import START

PIPELINE = "breast-cancer"
EMPTY = "digits"  # its container has no hold-out
BROKEN = "garbled"
TRAINED, WAITING, STRAY, HOLDOUT = "landing/part-1.csv", "landing/part-2.csv", "raw/part-3.csv", "holdout/holdout.csv"
QUARANTINED = "ee" * 32

_NO_TRIGGERS = {
    f"AzureWebJobs.{name}.Disabled": "true" for name in ("on_training_request", "keep_watch", "on_data_arrival")
}
_ELSEWHERE = {
    "EDGETRAIN_COMPUTES__HUB_VM__ADDRESS": "192.0.2.1",
    "EDGETRAIN_COMPUTES__HUB_VM__USERNAME": "nobody",
    "EDGETRAIN_COMPUTES__HUB_VM__PRIVATE_KEY": "none",
    "EDGETRAIN_TARGETS__HUB_VM__ADDRESS": "192.0.2.1",
    "EDGETRAIN_TARGETS__HUB_VM__USERNAME": "nobody",
    "EDGETRAIN_TARGETS__HUB_VM__PRIVATE_KEY": "none",
    "EDGETRAIN_AZURE_ML__TENANT_ID": "none",
    "EDGETRAIN_AZURE_ML__CLIENT_ID": "none",
    "EDGETRAIN_AZURE_ML__CLIENT_SECRET": "none",
    "EDGETRAIN_AZURE_ML__SUBSCRIPTION_ID": "none",
    "EDGETRAIN_AZURE_ML__RESOURCE_GROUP": "none",
    "EDGETRAIN_AZURE_ML__WORKSPACE": "none",
    "EDGETRAIN_AZURE_ML__METADATA_URL": "refused at once",
    "EDGETRAIN_CONTAINER_REGISTRY__URL": "http://192.0.2.1",
}


@dataclass(frozen=True)
class App:
    """The app on a host, and what the ledger holds."""

    host: HostProcess
    ledger: Ledger
    run_id: str

    @property
    def key(self) -> dict[str, str]:
        """A header with the function key."""
        return {"x-functions-key": str(self.host.endpoints["function_key"])}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("http-api")
    root = _app_root(folder / "app")
    accounts = {"cloud": a_storage_key(), "hub": a_storage_key()}
    with running_azurite(folder / "azurite", accounts=accounts) as texts:
        settings = {
            "AzureWebJobsStorage": texts["cloud"],
            "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": texts["hub"],
            "EDGETRAIN_APP_ROOT": str(root),
            **_NO_TRIGGERS,
            **_ELSEWHERE,
        }
        ledger = Ledger(StorageAccess.of(texts["cloud"]), "edgetrain")
        hubs = Hubs(lambda _: Site(connection_string=SecretStr(texts["hub"])))
        _fill_hub(texts["hub"])
        run = _fill_ledger(ledger, hubs, root)
        with running_host(folder / "host", "--enforce-keys", app=ROOT, settings=settings) as host:
            yield App(host, ledger, run.run_id)
        ledger.close()
        hubs.close()


def _app_root(root: Path) -> Path:
    """This repository's pipelines and training code, and a file that is no pipeline."""
    root.mkdir()
    (root / "training").symlink_to(ROOT / "training")
    (root / "pipelines").mkdir()
    for name in (PIPELINE, EMPTY):
        file = ROOT / "pipelines" / f"{name}.yaml"
        (root / "pipelines" / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    (root / "pipelines" / f"{BROKEN}.yaml").write_text("name: [", encoding="utf-8")
    return root


def _fill_hub(text: str) -> None:
    with BlobServiceClient.from_connection_string(text, api_version=HUB_API_VERSION) as owner:
        owner.create_container(EMPTY).close()
        with owner.create_container(PIPELINE) as container:
            for blob in (HOLDOUT, TRAINED, STRAY):
                container.upload_blob(blob, b"1,2\n").close()


def _fill_ledger(ledger: Ledger, hubs: Hubs, root: Path) -> RunRequest:
    """One window that led to a run, one that is open, a duplicate, strays of both kinds, something put aside."""
    joined = join(ledger.arrivals, PIPELINE, an_arrival(blob=TRAINED, etag=""))
    assert joined.start is not None
    ledger.arrivals.close_window(joined.start)
    run = _admitted(ledger, hubs, root, joined.start.window_id)
    record = ledger.runs.run(run.run_id)
    assert record is not None
    ledger.runs.record_run(
        replace(record, outcome=Outcome.NOT_PROMOTED, reason="the champion is better", ended_at=START)
    )
    ledger.arrivals.record_verdict(
        WindowVerdict(
            window_id=joined.start.window_id,
            pipeline=PIPELINE,
            verdict=Verdict.TRAINED,
            reason="1 file is trained",
            run_id=run.run_id,
        )
    )
    join(ledger.arrivals, PIPELINE, an_arrival(event_id="2", blob=WAITING, etag="0x2"))
    join(ledger.arrivals, PIPELINE, an_arrival(event_id="3", blob=WAITING, etag="0x2"))
    ledger.arrivals.record_all_outside(
        [(an_arrival(event_id="4", blob=STRAY), "outside every pipeline: prefix is raw/")]
    )
    ledger.arrivals.record_rejected(
        RejectedEvent(event_id="5", reason="event: data must be an object", received_at=START, text="{}")
    )
    ledger.quarantines.put(
        Quarantine(
            pipeline=PIPELINE,
            fingerprint=QUARANTINED,
            snapshot_digest="cd" * 32,
            since=START,
            failures=(FailedAttempt(run_id="breast-cancer-eeeeeeeeeeee-1", reason="training: line 3", ended_at=START),),
        )
    )
    return run


def _admitted(ledger: Ledger, hubs: Hubs, root: Path, window_id: str) -> RunRequest:
    request = AdmissionRequest(
        pipeline=PIPELINE, cause=Cause.NEW_DATA, requested_by=window_id, requested_at=START, window_id=window_id
    )
    admission = admit_run(
        request,
        evaluator=AdmissionEvaluator(
            pipelines=Pipelines(root / "pipelines"),
            jobs=JobFolders(root),
            runs=ledger.runs,
            trainings=ledger.listings,
            quarantines=ledger.quarantines,
            champions=ledger.champions,
        ),
        snapshots=hubs,
        frozen_jobs=MemoryJobs(),
        runs=ledger.runs,
        listings=ledger.listings,
    )
    assert admission.run is not None, admission.reason
    return admission.run
