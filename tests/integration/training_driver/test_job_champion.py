"""The champion's model beside the new one, in the job that runs on the VM, with only Azure ML's run replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.training_driver.jobs import CANARY, DATA, Job, RecordingRun
from training.breast_cancer import train

CHAMPION = "breast-cancer-0000-1"


@pytest.fixture
def champion(job: Job, tmp_path: Path) -> dict[str, bytes]:
    """The outputs of a run that was trained before, under the names that Azure ML has for them."""
    job.put(DATA.first)
    assert job.start(job.snapshot()) == 0
    outputs = tmp_path / "outputs"
    files = {
        f"outputs/{path.relative_to(outputs).as_posix()}": path.read_bytes()
        for path in outputs.rglob("*")
        if path.is_file()
    }
    job.run = RecordingRun(others={CHAMPION: files})
    return files


def beside(job: Job, tmp_path: Path, **how: Any) -> dict[str, Any]:
    """What a training says of the champion."""
    assert job.start(job.snapshot(), champion=CHAMPION, **how) == 0, job.run.tags
    said: dict[str, Any] = json.loads((tmp_path / "outputs/champion.json").read_bytes())
    return said


def test_it_is_measured_by_the_code_of_today_on_the_rows_of_today(
    job: Job, champion: dict[str, bytes], tmp_path: Path
) -> None:
    def evaluate(model: Any, features: Any, labels: Any) -> dict[str, float]:
        return train.evaluate(model, features, labels) | {"rows": float(len(labels))}

    before = json.loads(champion["outputs/metrics.json"])

    said = beside(job, tmp_path, learner=job.learner(evaluate=evaluate))

    assert (said["run_id"], said["trouble"]) == (CHAMPION, "")
    assert said["metrics"] == before | {"rows": float(len(DATA.holdout.splitlines()) - 1)}
    own = json.loads((tmp_path / "outputs/metrics.json").read_bytes())
    assert job.run.metrics == own | {f"champion.{name}": value for name, value in said["metrics"].items()}
    assert "champion.json" in json.loads((tmp_path / "outputs/checksums.json").read_bytes())
    assert not list(tmp_path.glob(".champion*"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outputs/model/model.joblib": b"cut"}, "on the way"),
        ({"outputs/model/model.joblib": b"cut", "outputs/checksums.json": b"{}"}, "measured again"),
        ({"outputs/checksums.json": b"no JSON"}, "JSONDecodeError"),
        ({"outputs/model//tmp/edgetrain-was-here": b"x"}, "not a plain path"),
        ({"outputs/model/../../edgetrain-was-here": b"x"}, "not a plain path"),
        ({"outputs/model/a\\b": b"x"}, "not a plain path"),
    ],
)
def test_whatever_is_wrong_with_it_the_training_goes_on_and_says_so(
    job: Job, champion: dict[str, bytes], tmp_path: Path, change: dict[str, bytes], said: str
) -> None:
    champion.update(change)

    found = beside(job, tmp_path)

    assert found["metrics"] == {}
    assert said in found["trouble"]
    assert not Path("/tmp/edgetrain-was-here").exists()
    assert not (tmp_path / "edgetrain-was-here").exists()
    assert json.loads((tmp_path / "outputs/metrics.json").read_bytes()) == job.run.metrics


def test_a_run_without_a_model_is_named(job: Job, champion: dict[str, bytes], tmp_path: Path) -> None:
    for name in [name for name in champion if name.startswith("outputs/model/")]:
        del champion[name]

    assert "outputs/model/" in beside(job, tmp_path)["trouble"]


def test_a_run_that_the_workspace_does_not_have_is_no_failure(job: Job, tmp_path: Path) -> None:
    job.put(DATA.first)

    assert "measured again" in beside(job, tmp_path)["trouble"]


def test_what_an_old_model_does_to_newer_code_is_not_quoted(
    job: Job, champion: dict[str, bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []

    def evaluate(model: Any, features: Any, labels: Any) -> dict[str, float]:
        calls.append(1)
        if len(calls) > 1:
            raise SystemExit(f"bad row {CANARY}")
        return train.evaluate(model, features, labels)

    found = beside(job, tmp_path, learner=job.learner(evaluate=evaluate))

    assert found["metrics"] == {}
    assert CANARY not in json.dumps(found) + "".join(capfd.readouterr())


def test_a_metric_of_ones_own_cannot_pass_for_the_champions(job: Job, tmp_path: Path) -> None:
    job.put(DATA.first)

    def evaluate(model: Any, features: Any, labels: Any) -> dict[str, float]:
        return train.evaluate(model, features, labels) | {"champion.log_loss": 9.0}

    assert job.start(job.snapshot(), learner=job.learner(evaluate=evaluate)) == 0
    assert "champion.log_loss" not in job.run.metrics
