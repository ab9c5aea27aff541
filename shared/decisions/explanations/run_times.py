"""How long a run took at what, from its record. Pure."""

from dataclasses import dataclass
from datetime import datetime

from shared.messages import Outcome, RunRecord, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTimes:
    """Seconds; None where the run did not come so far, or its record is from before this was kept.

    ``queue``: it waited for its compute; ``training``: from then until its training had ended, with what Azure ML and
    the VM do before and after; ``live``: from the newest of its files until it served everywhere.
    """

    queue: float | None = None
    training: float | None = None
    live: float | None = None


def times_of(record: RunRecord) -> RunTimes:
    """The times of a run that has ended."""
    waited, trained = record.reached.get(Stage.WAITING), record.reached.get(Stage.TRAINING)
    after = record.reached.get(Stage.JUDGING) or record.ended_at
    promoted = record.outcome is Outcome.PROMOTED
    return RunTimes(
        queue=_between(waited, trained),
        training=_between(trained, after),
        live=_between(record.newest, record.ended_at) if promoted else None,
    )


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - start).total_seconds()) if start is not None and end is not None else None
