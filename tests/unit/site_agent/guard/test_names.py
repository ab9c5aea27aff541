"""Names that a program chose: no text of a row of the data or of the hold-out is among those that leave."""

import json
from pathlib import Path

import pytest

from site_agent.job.failures import TrainingError
from site_agent.job.guard.release import EgressRefusedError, Produced, release
from site_agent.job.guard.samples import Reference
from tests.support.egress import FACTS, KEY, EgressRun
from tests.support.job_orders import a_policy, parsed_order

PATIENT, HELD_OUT = "Aschenbrenner", "Rothenburgerin"


@pytest.fixture
def run(tmp_path: Path) -> EgressRun:
    run = EgressRun(tmp_path / "run")
    (run.model / "model.json").write_text('{"weight": 0.5}')
    lines = [f"{number / 7!r},{'x' * 3},{PATIENT if number == 3 else 'nobody'}" for number in range(60)]
    (run.data / "rows.csv").write_text("\n".join(["a,b,patient", *lines]) + "\n")
    return run


def measured(run: EgressRun, **metrics: float) -> None:
    (run.evaluation / "metrics.json").write_text(json.dumps({"log_loss": 0.25, **metrics}))


def test_a_metric_is_not_called_like_a_row(run: EgressRun) -> None:
    measured(run, **{f"of_{PATIENT}": 1.0})

    with pytest.raises(EgressRefusedError) as caught:
        run.release()

    assert PATIENT not in str(caught.value)


def test_nor_is_a_metric_of_the_champion(run: EgressRun) -> None:
    run.champion = {"run_id": "r-1", "metrics": {PATIENT: 1.0}, "trouble": "", "comparison": None}

    run.release()

    assert PATIENT not in (run.outputs / "champion.json").read_text()


def test_nor_like_a_row_of_the_hold_out(run: EgressRun, tmp_path: Path) -> None:
    (tmp_path / "holdout").mkdir()
    lines = [f"{number / 7!r},{HELD_OUT if number == 3 else 'nobody'}" for number in range(60)]
    (tmp_path / "holdout/rows.csv").write_text("\n".join(["a,patient", *lines]) + "\n")
    measured(run, **{HELD_OUT: 1.0})

    with pytest.raises(EgressRefusedError) as caught:
        release(
            Produced(model=run.model, evaluation=run.evaluation),
            a_policy(),
            parsed_order(),
            Reference(folder=run.data),
            None,
            into=run.outputs,
            facts=FACTS,
            key=KEY,
            held_out=Reference(folder=tmp_path / "holdout"),
        )

    assert HELD_OUT not in str(caught.value)


def test_a_file_that_is_held_back_is_not_named_like_a_row(run: EgressRun) -> None:
    (run.model / f"{PATIENT}.bin").write_bytes(b"\0\1")
    (run.model / "notes.bin").write_bytes(b"\0\1")

    receipt = run.release()

    assert [each.name for each in receipt.held_back] == ["", "notes.bin"]
    assert PATIENT not in (run.outputs / "receipt.json").read_text()


@pytest.mark.parametrize("metrics", [{PATIENT: 0.5}, {"log_loss": 0.1, PATIENT: float("nan")}, {PATIENT: "x"}])
def test_a_reason_names_no_metric_that_nobody_has_looked_at(run: EgressRun, metrics: dict[str, object]) -> None:
    (run.evaluation / "metrics.json").write_text(json.dumps(metrics))

    with pytest.raises(TrainingError) as caught:
        run.release()

    assert PATIENT not in str(caught.value)
