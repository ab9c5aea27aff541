"""Admission over the real ledger, a real hub and this repository's own training code."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.storage.blob import BlobServiceClient

from activities.admission_evaluation import AdmissionEvaluator
from activities.admit_run import admit_run
from activities.record_run import record_run
from function_app.api.previews import preview_run
from shared.clients.frozen_jobs import FrozenJobs
from shared.clients.host_storage import StorageAccess
from shared.clients.hub_storage import Hubs
from shared.clients.ledger import Ledger
from shared.messages import (
    Admission,
    AdmissionRequest,
    Cause,
    Outcome,
    Preview,
    RunRequest,
    Stage,
    Verdict,
)
from shared.pipelines import Pipeline, Pipelines
from shared.settings import HUB_API_VERSION
from shared.training_code.job_folders import JobFolders
from tests.support.arrivals import a_run_record
from tests.support.azurite import running_azurite
from tests.support.hub_rights import least_rights
from tests.support.ledger_arrivals import open_runs
from tests.support.workflow import START

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Stack:
    ledger: Ledger
    hubs: Hubs
    owner: BlobServiceClient
    pipelines: Pipelines
    frozen_jobs: FrozenJobs
    app_root: Path = ROOT

    @property
    def pipeline(self) -> Pipeline:
        return self.pipelines.get("breast-cancer")

    def land(self, name: str, content: bytes = b"1,2\n") -> None:
        self.owner.get_blob_client("breast-cancer", name).upload_blob(content, overwrite=True)

    def admit(self, requested_by: str, **changes: Any) -> Admission:
        return admit_run(
            self._request(requested_by, **changes),
            evaluator=self._evaluator,
            snapshots=self.hubs,
            frozen_jobs=self.frozen_jobs,
            runs=self.ledger.runs,
            listings=self.ledger.listings,
        )

    def preview(self) -> Preview:
        return preview_run(self._request("person"), evaluator=self._evaluator, snapshots=self.hubs)

    def record(self, run: RunRequest, outcome: Outcome) -> None:
        ended = a_run_record(
            run_id=run.run_id,
            fingerprint=run.fingerprint,
            attempt=run.attempt,
            outcome=outcome,
            stage=Stage.TRAINING,
            job_failed=True,
            reason="landing/part-1.csv, line 2: not a number",
        )
        record_run(
            ended,
            runs=self.ledger.runs,
            champions=self.ledger.champions,
            listings=self.ledger.listings,
            quarantines=self.ledger.quarantines,
            retries=self.ledger.retries,
        )

    def names_in(self, run: RunRequest) -> list[str]:
        blob = self.owner.get_blob_client("edgetrain-manifests", run.snapshot.manifest)
        return [entry["name"] for entry in json.loads(blob.download_blob().readall())["blobs"]]

    def undecided(self) -> bool:
        """Whether the reconciler would ask for an admission."""
        decided = self.ledger.listings.last_decided("breast-cancer")
        return decided is None or decided.listing != self.hubs.hub("factory").listing(self.pipeline).digest

    def _request(self, requested_by: str, **changes: Any) -> AdmissionRequest:
        request = AdmissionRequest(
            pipeline="breast-cancer", cause=Cause.NEW_DATA, requested_by=requested_by, requested_at=START
        )
        return replace(request, **changes)

    @property
    def _evaluator(self) -> AdmissionEvaluator:
        return AdmissionEvaluator(
            pipelines=self.pipelines,
            jobs=JobFolders(self.app_root),
            runs=self.ledger.runs,
            trainings=self.ledger.listings,
            quarantines=self.ledger.quarantines,
            champions=self.ledger.champions,
        )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_azurite(tmp_path / "azurite") as connection_strings:
        text = connection_strings["testaccount"]
        # With no more rights than the documentation asks for: to list, and to keep manifests.
        ledger, hubs = Ledger(StorageAccess.of(text), "test"), Hubs(lambda _: least_rights(text))
        with BlobServiceClient.from_connection_string(text, api_version=HUB_API_VERSION) as owner:
            owner.create_container("breast-cancer").close()
            owner.create_container("edgetrain-manifests").close()
            yield Stack(
                ledger,
                hubs,
                owner,
                Pipelines(ROOT / "pipelines"),
                FrozenJobs(StorageAccess.of(text), "test"),
            )
        ledger.close()
        hubs.close()


def _granted(admission: Admission) -> RunRequest:
    assert admission.start
    assert admission.run is not None
    return admission.run


def test_the_same_data_trains_once_however_many_ask(stack: Stack) -> None:
    assert stack.admit("early").verdict is Verdict.REJECTED  # nothing has landed yet
    assert stack.ledger.listings.last_decided("breast-cancer") is None
    stack.land("holdout/holdout.csv")
    stack.land("landing/part-1.csv")
    assert stack.undecided()
    preview = stack.preview()
    assert preview.would_start

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: stack.admit(f"window-{n}"), range(6)))

    [granted] = [answer for answer in answers if answer.start]
    run = _granted(granted)
    assert preview.run_id == run.run_id
    assert {answer.run_id for answer in answers} == {run.run_id}
    assert stack.admit(run.requested_by) == granted  # its answer was lost: it gets the same again
    assert not stack.undecided()

    stack.record(run, Outcome.PROMOTED)
    assert stack.admit("later").verdict is Verdict.UNCHANGED
    assert not stack.preview().would_start

    forced = _granted(stack.admit("person", force=True))
    assert (forced.fingerprint, forced.attempt, forced.forced) == (run.fingerprint, 2, True)

    stack.land("landing/part-2.csv")
    assert stack.undecided()
    again = _granted(stack.admit("window-7"))
    assert again.fingerprint != run.fingerprint


def test_one_request_delivered_many_times_at_once_gets_one_answer(stack: Stack) -> None:
    stack.land("holdout/holdout.csv")
    stack.land("landing/part-1.csv")

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(lambda _: stack.admit("window-1"), range(8))

    run = _granted(first)
    assert others == [first] * 7
    assert [each.run_id for each in open_runs(stack.ledger.runs, "breast-cancer")] == [run.run_id]


@pytest.mark.parametrize("select", ["all", "new"])
def test_who_syncs_the_same_bytes_every_night_trains_nothing_twice(stack: Stack, tmp_path: Path, select: str) -> None:
    raw = yaml.safe_load((ROOT / "pipelines" / "breast-cancer.yaml").read_text(encoding="utf-8"))
    raw["data"]["select"] = select
    (tmp_path / "breast-cancer.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    stack.pipelines = Pipelines(tmp_path)
    names = ["holdout/holdout.csv", "landing/part-1.csv", "landing/part-2.csv"]
    for name in names:
        stack.land(name)
    run = _granted(stack.admit("window-1"))
    stack.record(run, Outcome.PROMOTED)

    for name in names:
        stack.land(name)

    assert not stack.undecided()
    synced = stack.admit("window-2")
    assert (synced.verdict, synced.run_id) == (Verdict.UNCHANGED, run.run_id)
    assert not stack.preview().would_start


def test_what_fails_again_and_again_is_quarantined_until_it_changes_or_is_released(stack: Stack) -> None:
    stack.land("holdout/holdout.csv")
    stack.land("landing/part-1.csv")
    for attempt in (1, 2, 3):
        run = _granted(stack.admit(f"window-{attempt}"))
        assert run.attempt == attempt
        stack.record(run, Outcome.FAILED)

    refused = stack.admit("window-4")
    assert refused.verdict is Verdict.QUARANTINED
    assert "failed 3 times" in refused.reason
    assert not stack.undecided()

    [kept] = stack.ledger.quarantines.of("breast-cancer")
    assert stack.ledger.quarantines.lift("breast-cancer", kept.fingerprint, START, by="ada") is not None
    stack.ledger.listings.clear_decision("breast-cancer")
    assert stack.undecided()
    assert _granted(stack.admit("window-5")).attempt == 4

    stack.land("landing/part-1.csv", b"2,1\n")  # repaired
    assert _granted(stack.admit("window-6")).attempt == 1


def test_of_a_pipeline_that_takes_what_is_new_every_file_trains_once(stack: Stack, tmp_path: Path) -> None:
    raw = yaml.safe_load((ROOT / "pipelines" / "breast-cancer.yaml").read_text(encoding="utf-8"))
    raw["data"]["select"] = "new"
    (tmp_path / "breast-cancer.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    stack.pipelines = Pipelines(tmp_path)
    stack.land("holdout/holdout.csv")
    stack.land("landing/part-1.csv")
    first = _granted(stack.admit("window-1"))
    stack.record(first, Outcome.NOT_PROMOTED)

    unchanged = stack.admit("window-2")
    assert (unchanged.verdict, unchanged.run_id) == (Verdict.UNCHANGED, first.run_id)

    stack.land("landing/part-2.csv")
    second = _granted(stack.admit("window-3"))
    assert stack.names_in(second) == ["landing/part-2.csv"]
    stack.record(second, Outcome.FAILED)
    stack.land("landing/part-0.csv")
    third = _granted(stack.admit("window-4"))
    assert stack.names_in(third) == ["landing/part-0.csv", "landing/part-2.csv"]
    stack.record(third, Outcome.PROMOTED)

    assert stack.admit("window-5").verdict is Verdict.UNCHANGED
    assert not stack.undecided()
    again = _granted(stack.admit("person", force=True))
    assert (again.fingerprint, again.attempt) == (third.fingerprint, 2)
