"""What the driver says of trouble: of the data, the VM, the settings or Azure ML itself."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared.messages import (
    FailureKind,
    TrainingPhase,
    TrainingRef,
)
from shared.training_driver import TrainingJob
from tests.integration.training_driver.client import Client, Failed
from tests.integration.training_driver.conftest import AzureMlStandIn, TrainingVm, new_client
from tests.integration.training_driver.site import STORIES, Site, ref
from tests.support.jobs import a_job_tree

CANARY = "4242.4242"


def test_a_fault_in_the_data_is_named_by_file_line_and_column_and_never_by_value(site: Site, tmp_path: Path) -> None:
    lines = next(iter(STORIES["breast-cancer"].second.values())).decode().splitlines()
    lines[4] = lines[4].replace(lines[4].split(",")[2], f"{CANARY} mm", 1)
    job = site.job(bad="\n".join(lines).encode())

    site.client.driver("submit", job)
    end = site.end(job)

    assert end.phase is TrainingPhase.FAILED
    assert end.detail.startswith("landing/bad.csv, line 5, column 'mean_perimeter': ")
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
    assert end.detail.endswith("edgetrain prepare-vm --pipeline breast-cancer")


@pytest.mark.parametrize("method", ["check", "cancel", "collect"])
def test_a_training_that_was_never_started_is_a_permanent_error(client: Client, method: str) -> None:
    answer = client.driver(method, TrainingRef(run_id="breast-cancer-0-1", pipeline="breast-cancer"))

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.code) == ("permanent", "training_unknown")


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
    assert f"{trained.run_id}: it answered 429" in answer.text
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
    assert "breast-cancer-refused-1" in answer.text
    assert "injected" in answer.text


def test_a_wrong_secret_is_reported_without_the_secret(
    azure_ml: AzureMlStandIn, vm: TrainingVm, tmp_path: Path
) -> None:
    client = new_client(azure_ml, vm, tmp_path, client_secret="wrong-canary")
    try:
        answer = client.driver("check", TrainingRef(run_id="r-1", pipeline="breast-cancer"))
    finally:
        client.close()

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.code) == ("permanent", "bad_configuration")
    assert "workspace edgetrain" in answer.text
    assert "wrong-canary" not in answer.text
