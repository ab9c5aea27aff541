"""Read what a job reported in its run's tags."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.decisions.snapshots.omissions import MOST_NAMES, shown_name
from shared.messages import LeftOut
from shared.telemetry import tell
from shared.values.texts import shortened
from shared.values.traces import FIELD, read_trace

LEFT_OUT_TAG = "edgetrain.left_out"  # written by training/common/job_report.py

STEPS_TAG = "edgetrain.steps"  # written by site_agent/job/step_times.py
STEPS: Final = frozenset({"data", "image", "train", "smoke", "evaluate", "champion", "guard"})
"""What a step may be called; whatever else a job says of itself is not repeated."""

_MOST_STEPS = 20
_MOST_ENTRIES = 5
_LONGEST_WHY = 40


def left_out_in(tags: Mapping[str, Any]) -> tuple[LeftOut, ...]:
    """What the job left out; empty when the tags have nothing, or nothing valid."""
    try:
        entries = json.loads(tags.get(LEFT_OUT_TAG) or "[]")
        return tuple(_entry(entry) for entry in entries[:_MOST_ENTRIES])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _entry(entry: Any) -> LeftOut:
    names = tuple(shown_name(str(name)) for name in entry["first"][:MOST_NAMES])
    return LeftOut(why=shortened(entry["why"], _LONGEST_WHY), count=int(entry["count"]), first=names)


def tell_steps(tags: Mapping[str, Any], run_id: str, pipeline: str) -> None:
    """Make spans of the steps that a job reported, in the trace that its run was submitted with.

    Their times are the VM's own; a step is told of once, however often this is called.
    """
    parent = read_trace(tags.get(FIELD))
    if parent is None:
        return
    for number, (name, began, ended) in enumerate(steps_in(tags)):
        facts = {"run_id": run_id, "pipeline": pipeline, "step": name, "clock": "vm"}
        tell(f"job {name}", parent.child("job", run_id, number), parent, (began, ended), facts)


def steps_in(tags: Mapping[str, Any]) -> list[tuple[str, datetime, datetime]]:
    """The steps that a job reported, with their beginnings and ends; those that are none are left out."""
    try:
        entries = json.loads(tags.get(STEPS_TAG) or "[]")
        return list(_steps(entries[:_MOST_STEPS]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _steps(entries: Any) -> Iterator[tuple[str, datetime, datetime]]:
    for name, began, ended in entries:
        known = isinstance(name, str) and name in STEPS
        if known and _is_time(began) and _is_time(ended) and began <= ended:
            yield name, datetime.fromtimestamp(began, UTC), datetime.fromtimestamp(ended, UTC)


def _is_time(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 < value < 1 << 32  # type: ignore[arg-type,operator]
