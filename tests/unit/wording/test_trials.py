"""What `edgetrain try` says at its end, and what it asks for."""

from pathlib import Path

import pytest

from cli.trial.podman import find_podman
from cli.trial.report import lines_of
from cli.trial.trial import Compared, Outcome
from shared.errors import PermanentError
from shared.pipelines import Judge
from site_agent.job.guard.receipt import FAILED, PASSED, Check, HeldBack, Receipt, Released, Traffic
from tests.support.golden import compare

JUDGE = Judge(metric="log_loss", direction="lower", floor=0.6)
MODEL = Path(".local/try/churn/last/model")
MODEL_FILE = Released(
    name="model/model.skops", kind="skops", bytes=10357, sha256="0" * 64, rule="every type is on the list"
)
COMPARISON = {
    "rows": 200,
    "difference": -0.0123,
    "low": -0.034,
    "high": 0.0021,
    "level": 0.95,
    "resamples": 2000,
    "method": "bca",
    "mcnemar": None,
    "worst_slice": {"name": "north", "rows": 40, "difference": 0.01},
    "rows_needed": 900,
}


def receipt(*, refused: bool = False) -> Receipt:
    checks = [
        Check(name="formats", result=PASSED, detail="1 files of kinds that may leave (skops), 0 held back"),
        Check(
            name="training_rows",
            result=FAILED if refused else PASSED,
            detail="of 400 rows, lines or files, 400 as numbers were looked for",
        ),
    ]
    return Receipt(
        run_id="try-churn",
        pipeline="churn",
        job_version="1.0.0",
        policy_sha256="",
        image="",
        released=() if refused else (MODEL_FILE,),
        held_back=(HeldBack(name="", kind="file", bytes=12, reason="it is of no kind that may leave"),),
        checks=checks,
        network=(Traffic(container="train", received=0, sent=0),),
    )


def test_what_a_trial_says(tmp_path: Path) -> None:
    good = Outcome(metrics={"log_loss": 0.19, "accuracy": 0.92}, receipt=receipt(), model=MODEL)
    cases = {
        "it would succeed": good,
        "it would fail": Outcome(
            metrics={"log_loss": 0.7},
            receipt=receipt(refused=True),
            refused="what the training made may not leave the site: model/rows.npy: array: 400 training rows",
            model=MODEL,
        ),
        "compared": Outcome(
            metrics=good.metrics,
            receipt=good.receipt,
            compared=Compared(metrics={"log_loss": 0.2}, comparison=COMPARISON),
            model=MODEL,
        ),
        "compared without rows": Outcome(
            metrics=good.metrics, receipt=good.receipt, compared=Compared(metrics={"log_loss": 0.2})
        ),
        "the first one": Outcome(
            metrics=good.metrics,
            receipt=good.receipt,
            compared=Compared(trouble="there is no earlier trial of this pipeline"),
        ),
    }
    sentences = {name: "\n".join(lines_of(outcome, JUDGE)) for name, outcome in cases.items()}
    with pytest.raises(PermanentError) as refused:
        find_podman({"PATH": str(tmp_path)})
    sentences["no podman"] = refused.value.reason.partition(" Docker")[0]

    compare("trials", "What `edgetrain try` says at its end.", sentences)
