"""The job that runs on the VM, on real blob storage, with only Azure ML's run replaced."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.jobs import CANARY, DATA, Job
from training.breast_cancer import score, train

ENDS = {
    "exit": 'sys.exit(f"bad row {row}")',
    "raise": "raise ValueError(row)",
    "interrupt": "raise KeyboardInterrupt(row)",
    "named": 'raise type(f"Bad{row}", (BaseException,), {})(row)',
    "group": "raise BaseExceptionGroup(row, [ValueError(row)])",
    "note": "error = KeyError(row); error.add_note(row); raise error from OSError(row)",
    "untellable": 'raise type("Odd", (ValueError,), {"__getattribute__": lambda self, name: 1 / 0})(row)',
    "generated": 'exec(compile("1 / 0", f"row {row}", "exec"))',
}


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
        (changed_cell(7, 3, f"{CANARY} mm"), "landing/bad.csv, line 7, column 'mean_area': "),
        (changed_cell(3, 30, CANARY), "landing/bad.csv, line 3, column 'label': "),
        (changed_cell(1, 0, "radius"), "landing/bad.csv, line 1: "),
        (b"", "landing/bad.csv: "),
    ],
)
def test_a_file_with_a_fault_is_named_and_its_values_are_not(
    job: Job, content: bytes, message: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    job.put({"landing/bad.csv": content})

    assert job.start(job.snapshot()) == 1

    assert job.failure.startswith(message)
    assert job.kind == "data"
    out, err = capfd.readouterr()
    assert err.endswith(f"failed: {job.failure}\n")
    assert CANARY not in out + err + job.failure
    assert not (tmp_path / "outputs").exists()


def test_a_manifest_that_is_not_there_is_named(job: Job) -> None:
    job.put(DATA.first)

    assert job.start(job.snapshot(), manifest="breast-cancer/none.json") == 1

    assert job.failure.startswith("breast-cancer/none.json: ")


def test_a_manifest_that_does_not_match_its_name_is_refused(job: Job, hub: str, no_pauses: None) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    hubs.put(hub, hubs.MANIFESTS, {snapshot.manifest: b"{}"})

    assert job.start(snapshot) == 1

    assert "was altered (tried 4 times)" in job.failure
    assert job.kind == "outside"


def test_a_manifest_of_another_container_is_refused(job: Job) -> None:
    job.put(DATA.first)

    assert job.start(job.snapshot(), container="other") == 1

    assert job.container in job.failure


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.chmod(0o644), "can be read by others"),
        (lambda path: path.write_text("{"), "is not valid JSON"),
    ],
)
def test_credentials_that_are_not_as_they_should_be_are_named_by_file(
    job: Job, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    spoil(tmp_path / ".config/edgetrain/sites/factory.json")

    assert job.start(snapshot) == 1

    assert f"~/.config/edgetrain/sites/factory.json {message}" in job.failure
    assert job.kind == "outside"


def test_a_wrong_key_is_named_by_the_storage_code_and_no_secret(job: Job, tmp_path: Path, hub: str) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    wrong = hub.replace(hub.split("AccountKey=")[1].split(";", maxsplit=1)[0], "d3Jvbmc=")
    hubs.give_credentials(tmp_path, wrong)

    assert job.start(snapshot) == 1

    assert " 403" in job.failure
    assert job.kind == "outside"
    assert "d3Jvbmc=" not in job.failure


def test_an_unknown_parameter_is_named(job: Job) -> None:
    job.put(DATA.first)

    assert job.start(job.snapshot(), parameters='{"colour": "red"}') == 1

    assert "'colour'" in job.failure
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


@pytest.mark.parametrize("end", ENDS)
def test_however_training_code_ends_its_text_stays_here(
    job: Job, end: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fit(features: Any, labels: Any, parameters: Any) -> Any:
        exec(ENDS[end], {"row": CANARY, "sys": sys, "__name__": __name__})

    job.put(DATA.first)

    assert job.start(job.snapshot(), learner=job.learner(fit=fit)) == 1

    out, err = capfd.readouterr()
    assert job.kind == ("outside" if end == "interrupt" else "code")
    assert CANARY not in out + err + json.dumps(job.run.tags)
    assert end == "untellable" or CANARY in (tmp_path / "edgetrain/logs/run-1.log").read_text()


def test_the_output_is_given_back_to_who_goes_on(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    job.put(DATA.first)
    job.start(job.snapshot())

    sys.stdout.write("and now this\n")
    os.write(2, b"and that\n")

    out, err = capfd.readouterr()
    assert (sys.stdout, sys.stderr) == before
    assert out.endswith("done\nand now this\n")
    assert err.endswith("and that\n")


def test_a_vm_without_room_for_a_log_still_trains_and_still_says_nothing(
    job: Job, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def fit(features: Any, labels: Any, parameters: Any) -> Any:
        sys.stdout.write(CANARY)
        raise ValueError(CANARY)

    (tmp_path / "edgetrain").write_text("in the way")
    job.put(DATA.first)
    snapshot = job.snapshot()

    assert job.start(snapshot) == 0
    assert job.start(snapshot, learner=job.learner(fit=fit)) == 1
    assert "withheld" in job.failure
    assert CANARY not in "".join(capfd.readouterr())


def test_only_the_newest_logs_are_kept(job: Job, tmp_path: Path) -> None:
    logs = tmp_path / "edgetrain/logs"
    logs.mkdir(parents=True)
    for number in range(30):
        (logs / f"old-{number}.log").write_text("old")
        os.utime(logs / f"old-{number}.log", (number, number))
    job.put(DATA.first)

    job.start(job.snapshot())

    assert {path.name for path in logs.iterdir()} == {"run-1.log", *(f"old-{number}.log" for number in range(11, 30))}


def test_an_azure_ml_that_does_not_take_the_outcome_is_trouble_outside(job: Job) -> None:
    def refuse() -> None:
        raise ConnectionError("canary")

    job.put(DATA.first)
    job.run.flush = refuse  # type: ignore[method-assign]

    assert job.start(job.snapshot()) == 1

    assert job.kind == "outside"
    assert job.failure.endswith("(ConnectionError)")


def test_a_metric_that_is_no_number_fails_a_training_only_if_it_is_judged_by_it(job: Job) -> None:
    def evaluate(model: Any, features: Any, labels: Any) -> Any:
        return {"log_loss": np.float32(0.5), "rows": np.int64(len(labels)), "roc_auc": float("nan")}

    job.put(DATA.first)
    snapshot, learner = job.snapshot(), job.learner(evaluate=evaluate)

    assert job.start(snapshot, learner=learner, judged_metric="log_loss") == 0
    assert job.run.metrics == {"log_loss": 0.5, "rows": len(DATA.holdout.splitlines()) - 1}
    assert job.left_out == [{"why": "metric", "count": 1, "first": ["roc_auc"]}]
    assert job.start(snapshot, learner=learner, judged_metric="roc_auc") == 1
    assert "roc_auc" in job.failure
    assert job.kind == "code"


@pytest.mark.parametrize(
    "answer", [{"predictions": np.array([1])}, {"predictions": [np.int64(1)]}, {"p": float("nan")}]
)
def test_an_answer_that_json_cannot_hold_is_named_as_such(job: Job, answer: Any) -> None:
    scorer = SimpleNamespace(**(vars(score) | {"answer": lambda model, request: answer}))
    job.put(DATA.first)

    assert job.start(job.snapshot(), scorer=scorer) == 1

    assert "JSON" in job.failure
    assert job.kind == "code"
