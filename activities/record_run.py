"""Keep what became of a run; a promoted one becomes its pipeline's champion."""

from datetime import datetime
from typing import Protocol

from shared.messages import Champion, Done, Outcome, RunRecord


class Runs(Protocol):
    """Keeps the records of runs."""

    def record_run(self, record: RunRecord) -> None:
        """Keep the record."""


class Champions(Protocol):
    """Crowns champions."""

    def crown(self, champion: Champion, *, since: datetime) -> None:
        """Make it the champion, unless one that took over later is there already."""


def record_run(record: RunRecord, *, runs: Runs, champions: Champions) -> Done:
    """Crown first: whoever reads "promoted" in the record then finds the champion. Safe to repeat."""
    if record.outcome is Outcome.PROMOTED:
        champion = Champion(
            pipeline=record.pipeline,
            run_id=record.run_id,
            model=record.model,
            version=record.version,
            image=record.image,
            metrics=record.metrics,
        )
        champions.crown(champion, since=record.ended_at or record.requested_at)
    runs.record_run(record)
    return Done()
