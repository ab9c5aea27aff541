"""The job that runs on the VM, on real blob storage, with only Azure ML's run replaced."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.jobs import CANARY, DATA, Job
from training.breast_cancer import score, train


def test_a_job_trains_on_the_snapshot_and_leaves_model_metrics_and_a_smoke_test(
    job: Job, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    job.put({"landing/later.csv": b"not,part\nof,it\n"})

    assert job.start(snapshot, parameters='{"most_iterations": 500}') == 0

    metrics = json.loads((tmp_path / "outputs/metrics.json").read_text())
    assert job.run.metrics == metrics
    assert metrics["log_loss"] < 0.2
    assert job.run.flushed
    smoke = json.loads((tmp_path / "outputs/model/smoke.json").read_text())
    assert score.answer(score.load(tmp_path / "outputs/model"), smoke["request"]) == smoke["response"]
    out, err = capfd.readouterr()
    assert "read landing/part-1.csv: 100 rows" in out
    assert "failed" not in err


def test_the_smoke_request_is_no_row_of_the_data(job: Job, tmp_path: Path) -> None:
    job.put(DATA.first)
    job.start(job.snapshot())

    (row,) = json.loads((tmp_path / "outputs/model/smoke.json").read_text())["request"]["rows"]

    lines = [line for text in DATA.first.values() for line in text.decode().splitlines()[1:]]
    assert row not in [[float(cell) for cell in line.split(",")[:-1]] for line in lines]


def changed_cell(line: int, column: int, cell: str) -> bytes:
    lines = next(iter(DATA.first.values())).decode().splitlines()
    cells = lines[line - 1].split(",")
    cells[column] = cell
    lines[line - 1] = ",".join(cells)
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed_cell(7, 3, f"{CANARY} mm"), "landing/bad.csv, line 7, column 'mean_area': not a number"),
        (changed_cell(3, 30, CANARY), "landing/bad.csv, line 3, column 'label': not one of the labels 0, 1"),
        (changed_cell(1, 0, "radius"), "landing/bad.csv, line 1: the header lacks the column 'mean_radius'"),
        (b"", "landing/bad.csv: the file is empty; it needs a header line"),
    ],
)
def test_a_file_with_a_fault_is_named_and_its_values_are_not(
    job: Job, content: bytes, message: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    job.put({"landing/bad.csv": content})

    assert job.start(job.snapshot()) == 1

    assert job.failure == message
    assert job.kind == "data"
    out, err = capfd.readouterr()
    assert err.endswith(f"failed: {message}\n")
    assert CANARY not in out + err + job.failure
    assert not (tmp_path / "outputs").exists()


def test_a_manifest_that_is_not_there_is_named(job: Job) -> None:
    job.put(DATA.first)

    assert job.start(job.snapshot(), manifest="breast-cancer/none.json") == 1

    assert job.failure == "breast-cancer/none.json: not in container edgetrain-manifests on the hub"


def test_a_manifest_that_does_not_match_its_name_is_refused(job: Job, hub: str, no_pauses: None) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    hubs.put(hub, hubs.MANIFESTS, {snapshot.manifest: b"{}"})

    assert job.start(snapshot) == 1

    assert "it was altered (tried 4 times)" in job.failure
    assert job.kind == "outside"


def test_a_manifest_of_another_container_is_refused(job: Job) -> None:
    job.put(DATA.first)

    assert job.start(job.snapshot(), container="other") == 1

    assert f"is about container {job.container}, not other" in job.failure


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "cannot be read (No such file or directory); prepare the VM for this site"),
        (lambda path: path.chmod(0o644), "can be read by others; run chmod 600 on it"),
        (lambda path: path.write_text("{"), "is not the JSON it should be; prepare the VM for this site again"),
    ],
)
def test_credentials_that_are_not_as_they_should_be_are_named_by_file(
    job: Job, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    spoil(tmp_path / ".config/edgetrain/sites/factory.json")

    assert job.start(snapshot) == 1

    assert job.failure == f"the VM's ~/.config/edgetrain/sites/factory.json {message}"
    assert job.kind == "outside"


def test_a_wrong_key_is_told_by_the_storage_code_and_no_secret(job: Job, tmp_path: Path, hub: str) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    wrong = hub.replace(hub.split("AccountKey=")[1].split(";", maxsplit=1)[0], "d3Jvbmc=")
    hubs.give_credentials(tmp_path, wrong)

    assert job.start(snapshot) == 1

    assert "the hub's storage answered 403" in job.failure
    assert job.kind == "outside"
    assert "d3Jvbmc=" not in job.failure


def test_an_unknown_parameter_is_named(job: Job) -> None:
    job.put(DATA.first)

    assert job.start(job.snapshot(), parameters='{"colour": "red"}') == 1

    assert job.failure.startswith("parameter 'colour' is unknown")
    assert job.kind == "code"


def test_the_text_of_an_exception_in_a_learner_is_withheld(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    def fit(features: Any, labels: Any, parameters: Any) -> Any:
        raise ValueError(f"cannot handle {features[0][0]}")

    job.put(DATA.first)
    learner = SimpleNamespace(**{**vars(train), "fit": fit})

    assert job.start(job.snapshot(), learner=learner) == 1

    first_value = next(iter(DATA.first.values())).splitlines()[1].split(b",")[0].decode()
    _, err = capfd.readouterr()
    assert job.failure.startswith("ValueError at job_runtime.py:")
    assert job.kind == "code"
    assert first_value not in job.failure + err
