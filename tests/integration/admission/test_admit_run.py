"""Admission over the real ledger, a real hub and this repository's own training code."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from activities.admit_run import admit_run
from shared.clients.hub_storage import Hubs
from shared.clients.ledger import Ledger
from shared.clients.training_code import TrainingCode
from shared.messages import Admission, AdmissionRequest, Cause, Outcome, Verdict
from shared.pipelines import Pipelines
from shared.settings import HUB_API_VERSION, Site
from tests.support.arrivals import a_run_record
from tests.support.azurite import running_azurite
from tests.support.workflow import START

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Stack:
    ledger: Ledger
    hubs: Hubs
    owner: BlobServiceClient

    def land(self, name: str) -> None:
        self.owner.get_blob_client("breast-cancer", name).upload_blob(b"1,2\n", overwrite=True)

    def admit(self, requested_by: str) -> Admission:
        return admit_run(
            AdmissionRequest(
                pipeline="breast-cancer", cause=Cause.NEW_DATA, requested_by=requested_by, requested_at=START
            ),
            pipelines=Pipelines(ROOT / "pipelines"),
            snapshots=self.hubs,
            code=TrainingCode(ROOT),
            runs=self.ledger.runs,
        )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_azurite(tmp_path) as connection_strings:
        text = connection_strings["testaccount"]
        ledger, hubs = Ledger(text, "test"), Hubs(lambda _: Site(connection_string=SecretStr(text)))
        with BlobServiceClient.from_connection_string(text, api_version=HUB_API_VERSION) as owner:
            owner.create_container("breast-cancer").close()
            yield Stack(ledger, hubs, owner)
        ledger.close()
        hubs.close()


def test_the_same_data_trains_once_however_many_ask(stack: Stack) -> None:
    assert stack.admit("early").verdict is Verdict.REJECTED  # nothing has landed yet
    stack.land("holdout/holdout.csv")
    stack.land("landing/part-1.csv")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: stack.admit(f"window-{n}"), range(6)))

    [granted] = [answer for answer in answers if answer.start]
    assert granted.run is not None
    assert {answer.run_id for answer in answers} == {granted.run_id}
    assert stack.admit(granted.run.requested_by) == granted  # its answer was lost: it gets the same again

    run = granted.run
    ended = a_run_record(run_id=run.run_id, fingerprint=run.fingerprint, outcome=Outcome.PROMOTED)
    stack.ledger.runs.record_run(ended)
    assert stack.admit("later").verdict is Verdict.UNCHANGED

    stack.land("landing/part-2.csv")
    again = stack.admit("window-7")
    assert again.start
    assert again.run_id != run.run_id
