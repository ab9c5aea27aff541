"""When a pipeline's ``retrain_every`` is due. Pure: time is a value; all of it in UTC.

Only the latest due time counts, so what was due while the app was away is made up once. A schedule is counted from when
it is first seen: neither a new pipeline nor a changed cron expression fires for the past. What was claimed for the past
is started all the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from shared.decisions.reconciliation.orphans import within_grace


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How far a schedule has been counted.

    ``last``: the due time that was claimed last, or when counting began. ``started``: its request is under way.
    """

    cron: str
    last: datetime
    claimed_at: datetime
    started: bool = True


@dataclass(frozen=True, slots=True)
class Begin:
    """Keep ``counted`` and start nothing: the schedule is new, or another one."""

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
    """What is to be done about a schedule now; None for nothing."""
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
    """The latest moment up to and including ``now`` that the expression names; None when there never was one."""
    upcoming = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    return next(CronSim(cron, upcoming, reverse=True), None)
