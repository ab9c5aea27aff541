"""The trace of a run, and when its steps began and ended, by the VM's own clock: the app makes spans of it.

The containers have no network and know of no trace; so the job tells the times in a tag of its run, and nothing else.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

STEPS_TAG: Final = "edgetrain.steps"  # where the app finds them
_TRACE: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
MOST: Final = 20
"""Steps, so that the tag stays short."""


@dataclass
class StepTimes:
    """The steps so far; each is a name of ours, and two numbers."""

    steps: list[tuple[str, float, float]] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step is as long as the block, also when that fails."""
        began = time.time()
        try:
            yield
        finally:
            if len(self.steps) < MOST:
                self.steps.append((name, round(began, 3), round(time.time(), 3)))

    @property
    def tag(self) -> dict[str, str]:
        """The tag; none before the first step."""
        return {STEPS_TAG: json.dumps(self.steps, separators=(",", ":"))} if self.steps else {}


def trace_of(environment: Mapping[str, str]) -> str:
    """The trace in a process's environment, for whoever reads the run's log on the VM; ``none`` for anything else."""
    said = environment.get("TRACEPARENT", "")
    return said if _TRACE.fullmatch(said) else "none"
