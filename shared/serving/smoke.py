"""The smoke sample that a training leaves with its model: one synthetic request, and what the model answered to it."""

import json
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeSample:
    """A request body, the answer expected to it, and how far numbers in it may be off (absolute or relative)."""

    request: Any
    response: Any
    tolerance: float


def parse_smoke(text: str) -> SmokeSample:
    """The sample in a ``smoke.json``; raises ``ValueError`` saying what is wrong with it."""
    try:
        raw = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(raw, dict) or not {"request", "response"} <= raw.keys():
        raise ValueError("must be an object with request and response")
    tolerance = raw.get("tolerance", 0.0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < math.inf:
        raise ValueError("tolerance must be a finite number, not negative")
    return SmokeSample(request=raw["request"], response=raw["response"], tolerance=float(tolerance))


def difference(expected: Any, actual: Any, *, tolerance: float, where: str = "response") -> str | None:
    """Where and how two JSON values differ, or None. Integers and floats compare as numbers, booleans do not."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _difference_of_objects(expected, actual, tolerance=tolerance, where=where)
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{where} has {len(actual)} elements instead of {len(expected)}"
        pairs = enumerate(zip(expected, actual, strict=True))
        found = (difference(e, a, tolerance=tolerance, where=f"{where}[{i}]") for i, (e, a) in pairs)
        return next(filter(None, found), None)
    if _is_number(expected) and _is_number(actual):
        try:
            close = math.isclose(expected, actual, rel_tol=tolerance, abs_tol=tolerance)
        except OverflowError:  # integers have no limit in JSON, and floats do
            close = expected == actual
        return None if close else f"{where} is {actual!r} instead of {expected!r}"
    if type(expected) is not type(actual) or expected != actual:
        return f"{where} is {_shown(actual)} instead of {_shown(expected)}"
    return None


def _difference_of_objects(
    expected: dict[str, Any], actual: dict[str, Any], *, tolerance: float, where: str
) -> str | None:
    if expected.keys() != actual.keys():
        return f"{where} has the fields {_shown(sorted(actual))} instead of {_shown(sorted(expected))}"
    found = (difference(expected[key], actual[key], tolerance=tolerance, where=f"{where}.{key}") for key in expected)
    return next(filter(None, found), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
