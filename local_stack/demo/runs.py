"""Following a run from the moment it appears to its outcome."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from local_stack.app_client import deadline
from local_stack.demo.cast import PIPELINE, Cast
from local_stack.demo.expectations import expect
from local_stack.demo.screen import Step

Run = dict[str, Any]
PACE: Final = 0.5
"""Seconds between two looks at a run: each one is work for a machine that has its hands full."""


@dataclass(slots=True)
class Stages:
    """The stages a run has been seen in, and for how long."""

    _began: dict[str, float] = field(default_factory=dict)

    def see(self, run: Run) -> str:
        """Take note of a status; what to show of it."""
        stage = str(run["stage"])
        self._began.setdefault(stage, time.monotonic())
        progress = run.get("progress") or {}
        doing = progress.get("phase") or progress.get("doing") or ""
        return f"{stage}: {', '.join(doing) if isinstance(doing, list) else doing}".removesuffix(": ")

    def summary(self) -> str:
        """Each stage with its seconds, as far as the polling of the run could see it."""
        ends = [*list(self._began.values())[1:], time.monotonic()]
        return ", ".join(
            f"{stage} {end - began:.1f} s" for (stage, began), end in zip(self._began.items(), ends, strict=True)
        )


def known_runs(cast: Cast) -> set[str]:
    """The ids of the runs that there are."""
    return {run["run_id"] for run in cast.app.runs(PIPELINE)}


def fire_until_new_run(cast: Cast, known: set[str]) -> None:
    """Fire the reconciler's timer, which would come by itself within two minutes.

    Again and again: a cycle that is under way has perhaps looked already, and another is not begun beside it.
    """
    for _ in deadline(300, "a run that the reconciler led to", pause=3):
        if known_runs(cast) - known:
            return
        cast.app.fire("keep_watch")


def follow_new_run(cast: Cast, step: Step, known: set[str], *, expected: str) -> Run:
    """Wait for a run that is not among ``known``, show what it does, and expect an outcome of it."""
    return follow_run(cast, step, cast.app.wait_for_new_run(PIPELINE, known), expected=expected)


def outcome_of(cast: Cast, step: Step, run_id: str, stages: Stages) -> Run:
    """Show what a run does until it has ended."""
    return cast.app.wait_for_outcome(run_id, seen=lambda seen: cast.screen.note(step, stages.see(seen)), pause=PACE)


def follow_run(cast: Cast, step: Step, run_id: str, *, expected: str) -> Run:
    """Show what a run does until it has ended, and expect an outcome of it."""
    stages = Stages()
    run = outcome_of(cast, step, run_id, stages)
    expect(run["outcome"] == expected, f"run {run_id} ended as {run['outcome']}: {run['reason']}")
    step.note = f"{run['outcome']}: {run['reason']} ({stages.summary()})"
    return run
