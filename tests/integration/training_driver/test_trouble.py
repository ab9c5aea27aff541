"""What the driver says of trouble: of the data, the VM, the settings or Azure ML itself."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared.messages import (
    FailureKind,
    ReceiptSummary,
    SignatureState,
    TrainingPhase,
    TrainingRef,
)
from shared.training_driver import TrainingJob
from tests.integration.training_driver.client import Client, Failed
from tests.integration.training_driver.conftest import AzureMlStandIn, TrainingVm, new_client, new_site
from tests.integration.training_driver.site import Site, ref

CANARY = "4242.4242"


def said_about(site: Site, job: TrainingJob, folder: Path) -> str:
    """What Azure ML has of a run: its log, tags and definition, and what the driver makes of it."""
    log = site.client.begin("facts", "log", job.pipeline, job.run_id, str(folder)).result(timeout=600)
    return f"{log}\n{json.dumps(site.run(job))}\n{site.end(job)!r}"


def test_a_fault_in_the_data_is_named_by_file_line_and_column_and_never_by_value(site: Site, tmp_path: Path) -> None:
    job = site.job(extra={"landing/bad.csv": f"age,dose\n30,1\n{CANARY} years,2\n".encode()})

    site.client.driver("submit", job)
    end = site.end(job)

    assert (end.phase, end.failure_kind) == (TrainingPhase.FAILED, FailureKind.DATA)
    assert "landing/bad.csv, line 3, column 'age'" in end.detail
    assert CANARY not in said_about(site, job, tmp_path)


def test_nothing_that_training_code_says_leaves_the_vm(site: Site, tmp_path: Path) -> None:
    loud = f"import sys\nprint('{CANARY}')\nprint('{CANARY}', file=sys.stderr)\nraise ValueError('{CANARY}')\n"
    job = site.job(files={"train.py": loud})

    site.client.driver("submit", job)
    end = site.end(job)

    assert (end.phase, end.failure_kind) == (TrainingPhase.FAILED, FailureKind.CODE)
    assert CANARY not in said_about(site, job, tmp_path)


def test_what_failed_left_a_receipt_too(site: Site) -> None:
    job = site.job(files={"train.py": "raise SystemExit(3)"})
    site.client.driver("submit", job)
    site.end(job)

    receipt = site.client.driver("receipt", ref(job))

    assert isinstance(receipt, ReceiptSummary)
    assert (receipt.network_bytes, receipt.signature) == (0, SignatureState.VALID)


def test_a_job_that_is_not_installed_is_named(
    azure_ml: AzureMlStandIn, vm: TrainingVm, hub: str, tmp_path: Path
) -> None:
    other = replace(vm, compute=vm.compute.model_copy(update={"home": "/nowhere"}))
    site = new_site(new_client(azure_ml, other, tmp_path), hub, vm)
    try:
        job = site.job()
        site.client.driver("submit", job)
        end = site.end(job)
    finally:
        site.client.close()

    assert (end.phase, end.failure_kind) == (TrainingPhase.FAILED, FailureKind.OUTSIDE)
    assert end.detail.endswith("edgetrain prepare-vm --pipeline tiny")


@pytest.mark.parametrize("method", ["check", "cancel", "collect"])
def test_a_training_that_was_never_started_is_a_permanent_error(client: Client, method: str) -> None:
    answer = client.driver(method, TrainingRef(run_id="tiny-0-1", pipeline="tiny"))

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
    azure_ml.fault(r"/experiments/tiny/snapshotrun$", status=400)
    try:
        answer = client.driver("submit", replace(trained, run_id="tiny-refused-1"))
    finally:
        azure_ml.clear_faults()

    assert isinstance(answer, Failed)
    assert "tiny-refused-1" in answer.text
    assert "injected" in answer.text


def test_a_wrong_secret_is_reported_without_the_secret(
    azure_ml: AzureMlStandIn, vm: TrainingVm, tmp_path: Path
) -> None:
    client = new_client(azure_ml, vm, tmp_path, client_secret="wrong-canary")
    try:
        answer = client.driver("check", TrainingRef(run_id="r-1", pipeline="tiny"))
    finally:
        client.close()

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.code) == ("permanent", "bad_configuration")
    assert "workspace edgetrain" in answer.text
    assert "wrong-canary" not in answer.text
