"""What Azure ML says of a run's metrics and errors, made fit for use. Pure."""

import math
from collections.abc import Mapping
from typing import Any


def finite_metrics(logged: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among what a run logged; of a series, its last value."""
    last = {name: value[-1] if isinstance(value, list) and value else value for name, value in logged.items()}
    numbers = {name: _number(value) for name, value in sorted(last.items())}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def error_of(error: object) -> tuple[str, str]:
    """Code and text of a run's error record, which is ``{"error": {"code", "message"}}``; empty as far as missing."""
    inner = error.get("error", error) if isinstance(error, Mapping) else None
    if not isinstance(inner, Mapping):
        return "", ""
    return str(inner.get("code") or ""), str(inner.get("message") or "")
