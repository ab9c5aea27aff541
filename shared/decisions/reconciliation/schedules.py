"""When a pipeline's ``retrain_every`` is due. Pure: time is a value; all in UTC.

Only the latest due time counts, so after a downtime one run is made up for. A schedule counts from when it is first
seen: neither a new pipeline nor a changed cron expression is due for the past. Due times that were claimed are started
all the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from shared.decisions.reconciliation.orphans import within_grace


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The progress of a schedule.

    ``last``: the due time that was claimed last, or when counting began. ``started``: its request is under way.
    """

    cron: str
    last: datetime
    claimed_at: datetime
    started: bool = True


@dataclass(frozen=True, slots=True)
class Begin:
    """Store ``counted`` and start nothing: the schedule is new, or its expression was changed."""

    counted: Counted


@dataclass(frozen=True, slots=True)
class Fire:
    """Claim ``counted``, then start its request."""

    counted: Counted


@dataclass(frozen=True, slots=True)
class Resume:
    """Start the request of ``counted``, whose owner died before it did."""

    counted: Counted


def schedule_step(cron: str, counted: Counted | None, now: datetime) -> Begin | Fire | Resume | None:
    """What to do about a schedule now; None for nothing."""
    begin = Begin(Counted(cron=cron, last=now, claimed_at=now))
    if counted is None:
        return begin
    same = counted.cron == cron
    due = latest_due(cron, now) if same else None
    if due is not None and due > counted.last:
        return Fire(Counted(cron=cron, last=due, claimed_at=now, started=False))
    if not counted.started:
        return None if within_grace(counted.claimed_at, now) else Resume(counted)
    return None if same else begin


def latest_due(cron: str, now: datetime) -> datetime | None:
    """The latest due time of the expression up to and including ``now``; None when there is none."""
    upcoming = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    return next(CronSim(cron, upcoming, reverse=True), None)
