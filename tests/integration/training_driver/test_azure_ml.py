"""The driver and the registry on unmodified azureml-core, the Azure ML stand-in, OpenSSH and real blob storage."""

import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from activities.submit_training import submit_training
from local_stack.demo_data import breast_cancer_story, digits_story
from shared.messages import (
    FailureKind,
    Lineage,
    RegisteredModel,
    RegisterModel,
    TrainedModel,
    TrainingOrder,
    TrainingPhase,
    TrainingRef,
    TrainingStatus,
)
from shared.pipelines import Pipelines
from shared.training_code.job_folders import JobFolders
from shared.training_code.run_code import RunCode
from shared.training_driver import TrainingJob
from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.client import APP_ROOT, Client, Failed
from tests.integration.training_driver.conftest import AzureMlStandIn, TrainingVm, new_client
from tests.support.jobs import MemoryJobs, a_job_tree
from tests.support.serving_host import wait_for
from tests.support.training import MemoryDriver

STORIES = {"breast-cancer": breast_cancer_story(), "digits": digits_story()}
CANARY = "4242.4242"
PATIENCE_SECONDS = 90.0


def a_job(order: TrainingOrder) -> TrainingJob:
    """The job that the activity makes of an order."""
    recorder = MemoryDriver()
    pipelines, deployed = Pipelines(APP_ROOT / "pipelines"), JobFolders(APP_ROOT)
    code = RunCode(kept=MemoryJobs(), deployed=deployed, pipelines=pipelines)
    submit_training(order, driver=recorder, code=code, pipelines=pipelines)
    return recorder.jobs[order.run_id]


@dataclass
class Site:
    """What a data owner and the app have prepared, and a client to train with."""

    client: Client
    hub: str

    def job(
        self, pipeline: str = "breast-cancer", *, champion: str | None = None, holdout: bytes = b"", **extra: bytes
    ) -> TrainingJob:
        """A job on the first drop of a fresh container; ``extra`` blobs lie beside it."""
        story, container = STORIES[pipeline], f"data-{secrets.token_hex(8)}"
        named = {f"landing/{name}.csv": content for name, content in extra.items()}
        hubs.put(self.hub, container, {story.holdout_name: holdout or story.holdout, **story.first, **named})
        snapshot = hubs.take_snapshot(self.hub, pipeline, container=container, holdout=story.holdout_name)
        fingerprint = secrets.token_hex(32)
        return a_job(
            TrainingOrder(
                run_id=f"{pipeline}-{fingerprint[:12]}-1",
                pipeline=pipeline,
                compute="hub-vm",
                snapshot=snapshot,
                parameters={"most_iterations": 500},
                fingerprint=fingerprint,
                champion=champion,
            )
        )

    def until(self, job: TrainingJob, reached: Callable[[TrainingStatus], bool]) -> TrainingStatus:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status = self.client.driver("check", ref(job))
            assert isinstance(status, TrainingStatus), status
            if reached(status):
                return status
            assert time.monotonic() < deadline, f"still {status} after {PATIENCE_SECONDS} s"
            time.sleep(0.1)

    def end(self, job: TrainingJob) -> TrainingStatus:
        return self.until(job, lambda status: status.phase.terminal)

    def run(self, job: TrainingJob) -> dict[str, Any]:
        """The run as the SDK shows it."""
        shown: dict[str, Any] = self.client.begin("facts", "run", job.pipeline, job.run_id).result(timeout=60)
        return shown


def ref(job: TrainingJob) -> TrainingRef:
    return TrainingRef(run_id=job.run_id, pipeline=job.pipeline)


@pytest.fixture
def site(client: Client, hub: str) -> Site:
    return Site(client, hub)


@pytest.fixture(scope="module")
def trained(client: Client, hub: str) -> TrainingJob:
    """A job that has been trained, for the tests that only look at what it left."""
    site = Site(client, hub)
    job = site.job()
    client.driver("submit", job)
    status = site.end(job)
    assert status.phase is TrainingPhase.COMPLETED, status.detail
    return job


def test_the_sdk_settled_on_the_configured_cloud(client: Client, azure_ml: AzureMlStandIn) -> None:
    assert client.begin("facts", "resource_manager").result(timeout=60) == azure_ml.endpoints["url"]


def test_a_submitted_job_is_started_once_however_often_it_is_submitted(site: Site, azure_ml: AzureMlStandIn) -> None:
    job = site.job("digits")

    first = site.client.driver("submit", job)
    again = site.client.driver("submit", job)
    end = site.end(job)
    afterwards = site.client.driver("submit", job)

    assert isinstance(first, TrainingStatus)
    assert isinstance(again, TrainingStatus)
    assert end.phase is TrainingPhase.COMPLETED, end.detail
    assert afterwards == end
    assert azure_ml.trainings(job.run_id) == 1


def test_jobs_submitted_at_the_same_moment_each_run_their_own_code(
    azure_ml: AzureMlStandIn, vm: TrainingVm, hub: str, tmp_path: Path
) -> None:
    site = Site(new_client(azure_ml, vm, tmp_path), hub)  # a cold one: the workspace is opened by all of them at once
    try:
        jobs = [site.job("breast-cancer"), site.job("digits"), site.job("digits")]

        site.client.begin("facts", "submit_side_by_side", jobs).result(timeout=60)

        assert [site.end(job).phase for job in jobs] == [TrainingPhase.COMPLETED] * 3
        metrics = [site.client.driver("collect", ref(job)).metrics for job in jobs]
        assert ["macro_f1" in logged for logged in metrics] == [False, True, True]
    finally:
        site.client.close()


def test_a_completed_training_has_metrics_times_and_a_model(
    client: Client, trained: TrainingJob, vm: TrainingVm
) -> None:
    outcome = client.driver("collect", ref(trained))

    assert isinstance(outcome, TrainedModel)
    assert outcome.model_path == "outputs/model"
    assert outcome.metrics.keys() == {"accuracy", "log_loss", "malignant_recall", "roc_auc"}
    assert outcome.metrics["log_loss"] < 0.2
    assert outcome.ended_at is not None
    assert outcome.ended_at.tzinfo is not None
    assert trained.run_id not in vm.leftovers()


def test_the_model_is_downloaded_as_the_job_wrote_it(client: Client, trained: TrainingJob, tmp_path: Path) -> None:
    client.driver("fetch", trained.run_id, trained.pipeline, "outputs/model", into=tmp_path)

    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "model.joblib",
        "smoke.json",
    ]
    assert json.loads((tmp_path / "smoke.json").read_text()).keys() == {"request", "response", "tolerance"}


def test_what_is_not_there_is_not_downloaded(client: Client, trained: TrainingJob, tmp_path: Path) -> None:
    client.driver("fetch", trained.run_id, trained.pipeline, "outputs/nothing", into=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_run_carries_our_tags_and_references_only(client: Client, trained: TrainingJob) -> None:
    run = Site(client, hub="").run(trained)

    assert run["tags"].items() >= trained.tags.items()
    assert run["definition"]["arguments"] == list(trained.arguments)
    assert run["definition"]["maxRunDurationSeconds"] == trained.most_seconds
    assert "AccountKey" not in json.dumps(run)


def test_the_log_tells_progress(client: Client, trained: TrainingJob, tmp_path: Path) -> None:
    log = client.begin("facts", "log", trained.pipeline, trained.run_id, str(tmp_path)).result(timeout=60)

    assert "read landing/part-1.csv: 100 rows" in log
    assert log.rstrip().endswith("done")


def test_registering_twice_makes_one_version_with_lineage(client: Client, trained: TrainingJob) -> None:
    lineage = Lineage(
        run_id=trained.run_id,
        pipeline=trained.pipeline,
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        blobs=2,
        metrics={"log_loss": 0.0912345678},
        parameters={"most_iterations": 500},
    )
    name = f"model-{secrets.token_hex(4)}"

    before = client.registry("version_of", trained.run_id, name=name)
    registered = client.registry("register", lineage, name=name, path="outputs/model")
    found = client.registry("version_of", trained.run_id, name=name)

    assert before is None
    assert registered == found == RegisteredModel(name=name, version="1")
    (model,) = client.begin("facts", "models", name).result(timeout=60)
    assert model["run_id"] == trained.run_id
    assert model["tags"] == {"pipeline": "breast-cancer", "run_id": trained.run_id, "cause": "new_data"}
    assert model["properties"] == {
        "run_id": trained.run_id,
        "fingerprint": "ab" * 32,
        "snapshot": "cd" * 32,
        "blobs": "2",
        "holdout": "",
        "evaluator": "",
        "metric.log_loss": "0.0912346",
        "parameter.most_iterations": "500",
    }


def test_registering_many_times_at_once_gives_one_answer(client: Client, trained: TrainingJob) -> None:
    lineage = Lineage(
        run_id=trained.run_id,
        pipeline=trained.pipeline,
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        blobs=2,
        metrics={"log_loss": 0.1},
    )
    name = f"model-{secrets.token_hex(4)}"
    command = RegisterModel(lineage=lineage, model_path="outputs/model", name=name)

    answers = client.begin("facts", "registered_at_once", command, 4).result(timeout=120)

    assert answers == [RegisteredModel(name=name, version="1")] * 4
    assert client.registry("version_of", trained.run_id, name=name) == answers[0]


def test_the_same_job_submitted_many_times_at_once_is_one_run(site: Site) -> None:
    job = site.job()

    answers = site.client.begin("facts", "submit_side_by_side", [job] * 4).result(timeout=120)

    assert {type(answer) for answer in answers} == {TrainingStatus}
    assert site.end(job).phase is TrainingPhase.COMPLETED


def test_a_model_that_is_not_there_is_not_registered(client: Client, trained: TrainingJob) -> None:
    lineage = Lineage(
        run_id=trained.run_id, pipeline=trained.pipeline, fingerprint="", snapshot_digest="", blobs=0, metrics={}
    )

    answer = client.registry("register", lineage, name="none", path="outputs/nothing")

    assert answer.kind == "permanent"
    assert answer.code == "model_missing"


def test_a_submit_that_was_killed_after_the_start_is_adopted_and_tagged(
    azure_ml: AzureMlStandIn, vm: TrainingVm, hub: str, tmp_path: Path
) -> None:
    site = Site(new_client(azure_ml, vm, tmp_path), hub)
    try:
        job = site.job()
        pid = site.client.process_id()
        starts = azure_ml.requests_seen("execution")
        azure_ml.fault("/snapshotrun$", delay=2, count=1)
        doomed = site.client.begin("driver", "submit", job)
        wait_for(lambda: azure_ml.requests_seen("execution") > starts, "the request that starts the run", 60)
        # The run will exist in two seconds, and its tags come after it: time to see to it that they never do.
        azure_ml.fault(f"/experiments/[^/]*/runs/{job.run_id}$", delay=20, count=10)
        wait_for(lambda: azure_ml.trainings(job.run_id) == 1, "the training", 60)
        os.kill(pid, signal.SIGKILL)
        assert isinstance(doomed.exception(timeout=60), BrokenProcessPool)
        azure_ml.clear_faults()
        site.client.restart()
        assert site.run(job)["tags"].keys().isdisjoint(job.tags)

        site.client.driver("submit", job)

        assert site.end(job).phase is TrainingPhase.COMPLETED
        assert azure_ml.trainings(job.run_id) == 1
        assert site.run(job)["tags"].items() >= job.tags.items()
    finally:
        azure_ml.clear_faults()
        site.client.close()


def test_a_submit_whose_answer_was_lost_finds_the_run_it_started(site: Site, azure_ml: AzureMlStandIn) -> None:
    job = site.job("digits")
    site.client.driver("submit", job)
    # As if the first look-up had come too early: the service then refuses the second start.
    azure_ml.fault(f"/experiments/[^/]*/runs/{job.run_id}$", status=404, count=1)
    try:
        status = site.client.driver("submit", job)
    finally:
        azure_ml.clear_faults()

    assert isinstance(status, TrainingStatus), status
    assert site.end(job).phase is TrainingPhase.COMPLETED
    assert azure_ml.trainings(job.run_id) == 1


def test_a_cancelled_training_stops_and_leaves_nothing(site: Site, azure_ml: AzureMlStandIn, vm: TrainingVm) -> None:
    busy, job = site.job(), site.job()
    site.client.driver("submit", busy)
    site.client.driver("submit", job)  # waits for its turn behind the other

    site.client.driver("cancel", ref(job))
    site.client.driver("cancel", ref(job))
    end = site.end(job)
    site.client.driver("cancel", ref(job))

    assert end == TrainingStatus(phase=TrainingPhase.CANCELLED)
    assert site.end(busy).phase is TrainingPhase.COMPLETED
    assert azure_ml.trainings(job.run_id) == 0
    assert vm.leftovers() == []


def test_a_running_training_is_stopped_on_the_vm(site: Site, vm: TrainingVm, azure_ml: AzureMlStandIn) -> None:
    job = site.job()
    site.client.driver("submit", job)
    site.until(
        job, lambda status: status.phase in {TrainingPhase.RUNNING, TrainingPhase.FINALIZING, TrainingPhase.COMPLETED}
    )

    site.client.driver("cancel", ref(job))

    # It is a race with a short training; either way nothing of it runs on.
    assert site.end(job).phase in {TrainingPhase.CANCELLED, TrainingPhase.COMPLETED}
    assert vm.leftovers() == []


def test_a_fault_in_the_data_is_told_by_file_line_and_column_and_never_by_value(site: Site, tmp_path: Path) -> None:
    lines = next(iter(STORIES["breast-cancer"].second.values())).decode().splitlines()
    lines[4] = lines[4].replace(lines[4].split(",")[2], f"{CANARY} mm", 1)
    job = site.job(bad="\n".join(lines).encode())

    site.client.driver("submit", job)
    end = site.end(job)

    assert end.phase is TrainingPhase.FAILED
    assert end.detail.startswith("landing/bad.csv, line 5, column 'mean_perimeter': not a number")
    run = site.run(job)
    log = site.client.begin("facts", "log", job.pipeline, job.run_id, str(tmp_path)).result(timeout=60)
    assert CANARY not in json.dumps(run) + log


def test_an_environment_that_is_not_on_the_vm_is_named(site: Site) -> None:
    asked = site.job()
    job = replace(asked, code=a_job_tree(files=asked.code.files))

    site.client.driver("submit", job)
    end = site.end(job)

    assert end.phase is TrainingPhase.FAILED
    assert end.failure_kind is FailureKind.OUTSIDE
    assert end.detail == (
        "the VM has no such Python environment; prepare the VM: edgetrain prepare-vm --pipeline breast-cancer"
    )


@pytest.mark.parametrize("method", ["check", "cancel", "collect"])
def test_a_training_that_was_never_started_is_a_permanent_error(client: Client, method: str) -> None:
    answer = client.driver(method, TrainingRef(run_id="breast-cancer-0-1", pipeline="breast-cancer"))

    assert answer == Failed("permanent", "Azure ML has no run breast-cancer-0-1 in breast-cancer", "training_unknown")


def test_a_service_that_fails_for_a_while_is_transient_and_then_works(
    client: Client, trained: TrainingJob, azure_ml: AzureMlStandIn
) -> None:
    azure_ml.fault(f"/history/.*/runs/{trained.run_id}$", status=429)
    try:
        answer = client.driver("check", ref(trained))
    finally:
        azure_ml.clear_faults()

    assert isinstance(answer, Failed)
    assert answer.kind == "transient"
    assert answer.text.startswith(f"Azure ML could not look up run {trained.run_id}: it answered 429")
    assert client.driver("check", ref(trained)).phase is TrainingPhase.COMPLETED


def test_what_the_service_says_to_a_submission_stands_in_the_reason(
    client: Client, trained: TrainingJob, azure_ml: AzureMlStandIn
) -> None:
    azure_ml.fault(r"/experiments/breast-cancer/snapshotrun$", status=400)
    try:
        answer = client.driver("submit", replace(trained, run_id="breast-cancer-refused-1"))
    finally:
        azure_ml.clear_faults()

    assert isinstance(answer, Failed)
    assert "Azure ML could not submit run breast-cancer-refused-1" in answer.text
    assert "a fault was injected here" in answer.text


def test_a_wrong_secret_is_told_without_the_secret(azure_ml: AzureMlStandIn, vm: TrainingVm, tmp_path: Path) -> None:
    client = new_client(azure_ml, vm, tmp_path, client_secret="wrong-canary")
    try:
        answer = client.driver("check", TrainingRef(run_id="r-1", pipeline="breast-cancer"))
    finally:
        client.close()

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.code) == ("permanent", "bad_configuration")
    assert "open the workspace edgetrain" in answer.text
    assert "wrong-canary" not in answer.text
