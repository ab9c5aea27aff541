"""What of the comparison of two models may leave: an interval, counts, and the slices that the site's policy lists."""

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from site_agent.job.failures import TrainingError
from site_agent.job.guard.metrics import rounded

_NUMBERS: Final = ("difference", "low", "high", "level")
_COUNTS: Final = ("rows", "resamples")
_METHODS: Final = ("bca", "percentile")


def comparison_that_may_leave(
    found: Mapping[str, Any] | None, *, slices: Collection[str], least_rows: int
) -> dict[str, Any] | None:
    """A copy with the known fields only; raises :class:`TrainingError` when one of them is not what it should be."""
    if found is None:
        return None
    if found.get("method") not in _METHODS:
        raise TrainingError("the comparison with the champion has no known method")
    result: dict[str, Any] = {name: _number(found, name) for name in _NUMBERS}
    result |= {name: _count(found, name) for name in _COUNTS}
    needed = found.get("rows_needed")
    result |= {
        "method": found["method"],
        "mcnemar": _mcnemar(found.get("mcnemar")),
        "worst_slice": _slice(found.get("worst_slice"), slices, least_rows),
        "rows_needed": None if needed is None else _count(found, "rows_needed"),
    }
    return result


def _mcnemar(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    counts = {name: _count(found, name) for name in ("only_champion_wrong", "only_challenger_wrong")}
    return counts | {"p": _number(found, "p")}


def _slice(found: Mapping[str, Any] | None, slices: Collection[str], least_rows: int) -> dict[str, Any] | None:
    """A slice with a name that the policy lists, and with enough rows that its mean is nobody's."""
    if found is None or found.get("name") not in slices or _count(found, "rows") < least_rows:
        return None
    return {"name": found["name"], "rows": _count(found, "rows"), "difference": _number(found, "difference")}


def _number(found: Mapping[str, Any], name: str) -> float:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TrainingError(f"{name} of the comparison with the champion is not a finite number")
    return rounded(float(value))


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise TrainingError(f"{name} of the comparison with the champion is not a count")
    return value
