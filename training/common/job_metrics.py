"""Convert the metrics of ``evaluate()`` to plain finite numbers, limited in number. Pure."""

import math
import re
from collections.abc import Mapping
from typing import Any

from job_failures import TrainingError
from job_report import METRIC, Report

MOST = 50  # metrics of a run
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/@%+\- ]{0,99}")
_Numbers = dict[str, float]


def finite_numbers(metrics: Any, report: Report, *, judged: str = "") -> _Numbers:
    """The finite numbers among the metrics; the others are left out and reported.

    Raises :class:`TrainingError` when the judged metric is not finite, or none is left.
    """
    if not isinstance(metrics, Mapping):
        raise TrainingError("evaluate() must return its metrics as a dict, a number by name")
    given = {name: number(value) for name, value in metrics.items() if _is_name(name)}
    numbers = {name: value for name, value in given.items() if value is not None}
    if judged and judged not in numbers:
        if judged in given:
            raise TrainingError(f"evaluate() returned no finite number for {judged}, which the pipeline is judged by")
        known = ", ".join(sorted(numbers)[:MOST]) or "none"
        raise TrainingError(f"evaluate() returned no {judged}, which the pipeline is judged by; it returned: {known}")
    kept = dict(sorted(numbers.items(), key=lambda item: (item[0] != judged, item[0]))[:MOST])
    if not kept:
        raise TrainingError("evaluate() returned no metric that is a finite number")
    unnamed = len(metrics) - len(given)
    report.left_out(METRIC, [*sorted(given.keys() - kept.keys()), *["a name that is not a text"] * unnamed])
    return kept


def number(value: Any) -> float | None:
    """A finite number as a float, also from numpy and other libraries or a one-element array; None for others."""
    if isinstance(value, str | bytes | bytearray | complex):
        return None
    try:
        found = float(value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _is_name(name: Any) -> bool:
    # What begins like this shows the champion's numbers.
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and not name.startswith("champion.")
