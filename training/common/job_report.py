"""What a job reports beside its metrics: log lines, and what it left out."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from job_failures import bounded

LEFT_OUT_TAG = "edgetrain.left_out"
CHANGED, FAULTY, METRIC = "changed", "faulty", "metric"

_LONGEST_TAG = 900  # characters
_LONGEST_NAME = 120
_SHOWN = 5  # names for each reason


@dataclass
class Report:
    """``say`` writes a line to the log; omissions are kept for the app with reason, count and some names."""

    say: Callable[[str], None]
    entries: list[dict[str, Any]] = field(default_factory=list)

    def left_out(self, why: str, names: Sequence[str]) -> None:
        """Add an omission of these names, if there are any."""
        if names:
            shown = [bounded(name, _LONGEST_NAME) for name in names[:_SHOWN]]
            self.entries.append({"why": why, "count": len(names), "first": shown})
            self.say(f"left out ({why}): {named(names)}")

    def tag(self, run: Any) -> None:
        """Write the omissions to the run's tags, if there are any."""
        if not self.entries:
            return
        while len(text := json.dumps(self.entries)) > _LONGEST_TAG:
            longest = max(self.entries, key=lambda entry: sum(map(len, entry["first"])))
            longest["first"].pop()
        run.set_tags({LEFT_OUT_TAG: text})


def named(names: Sequence[str]) -> str:
    """How many, and the first of them."""
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{len(names)}, {', '.join(bounded(name, _LONGEST_NAME) for name in names[:_SHOWN])}{more}"
