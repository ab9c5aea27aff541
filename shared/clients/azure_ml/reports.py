"""Read what a job reported in its run's tags."""

import json
from collections.abc import Mapping
from typing import Any

from shared.decisions.snapshots.omissions import MOST_NAMES, shown_name
from shared.messages import LeftOut
from shared.values.texts import shortened

LEFT_OUT_TAG = "edgetrain.left_out"  # written by training/common/job_report.py

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
