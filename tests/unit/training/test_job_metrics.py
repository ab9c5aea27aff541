"""Numbers are numbers whatever their class; what is none is left out and named."""

import json
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.job_modules import common_modules

with common_modules("job_metrics", "job_report", "job_failures") as (_metrics, _report, _failures):
    job_metrics: ModuleType = _metrics
    job_report: ModuleType = _report
    job_failures: ModuleType = _failures


def report() -> Any:
    return job_report.Report(say=lambda line: None)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.5, 0.5),
        (7, 7.0),
        (True, 1.0),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.float16(0.5), 0.5),
        (np.int64(7), 7.0),
        (np.uint8(7), 7.0),
        (np.bool_(True), 1.0),
        (np.array(0.5), 0.5),
        (np.array([0.5]), 0.5),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 2), 0.5),
        (np.float64("nan"), None),
        (np.float32("inf"), None),
        (10**400, None),
        (np.array([0.5, 0.6]), None),
        ("0.5", None),
        (b"1", None),
        (0.5 + 0j, None),
        (np.complex128(1), None),
        (None, None),
        ([0.5], None),
        (np.datetime64("2026-01-01"), None),
    ],
)
def test_a_number_is_a_number_whatever_its_class(value: Any, number: float | None) -> None:
    found = job_metrics.number(value)

    assert found == number
    assert type(found) in {float, type(None)}


def test_a_metric_that_nobody_judges_may_be_no_number() -> None:
    omissions = report()

    kept = job_metrics.finite_numbers({"loss": 0.25, "auc": float("nan"), "model": "tree"}, omissions, judged="loss")

    assert kept == {"loss": 0.25}
    assert omissions.entries == [{"why": "metric", "count": 2, "first": ["auc", "model"]}]


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"loss": float("nan"), "auc": 1.0}, "returned no finite number for loss, which the pipeline is judged by"),
        ({"auc": 1.0}, "returned no loss, which the pipeline is judged by; it returned: auc"),
        ([0.5], "must return its metrics as a dict"),
    ],
)
def test_without_the_judged_metric_a_training_is_worth_nothing(metrics: Any, message: str) -> None:
    with pytest.raises(job_failures.TrainingError, match=message):
        job_metrics.finite_numbers(metrics, report(), judged="loss")


def test_metrics_are_bounded_in_number_and_in_the_length_of_their_names() -> None:
    omissions = report()
    metrics = {f"m{number:04d}": float(number) for number in range(500)} | {
        "loss": 1.0,
        "n" * 101: 1.0,
        "row\n7": 2.0,
        5: 1.0,
    }

    kept = job_metrics.finite_numbers(metrics, omissions, judged="loss")

    assert len(kept) == job_metrics.MOST
    assert "loss" in kept
    assert omissions.entries[0]["count"] == len(metrics) - job_metrics.MOST


def test_what_was_left_out_fits_a_tag_whatever_the_names() -> None:
    class Run:
        tags: dict[str, str] = {}  # noqa: RUF012

        def set_tags(self, tags: dict[str, str]) -> None:
            self.tags = tags

    omissions, run = report(), Run()
    for why in ("changed", "faulty", "metric"):
        omissions.left_out(why, ["\u00e9\n" * 1000 for _ in range(1000)])

    omissions.tag(run)

    text = run.tags[job_report.LEFT_OUT_TAG]
    assert len(text) <= 900
    assert [(entry["why"], entry["count"]) for entry in json.loads(text)] == [
        ("changed", 1000),
        ("faulty", 1000),
        ("metric", 1000),
    ]
