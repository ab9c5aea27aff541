"""Metrics of runs and releases, read from the ledger: an app that is scaled out has no address to be asked at.

A run is counted once, by whichever instance comes first after it has ended; what was counted is noted before it is
sent, so that a crash loses a count and never doubles one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from function_app.reconciler.cycle_context import CycleContext
from shared import telemetry
from shared.clients.ledger import Ledger
from shared.decisions.explanations.run_times import times_of
from shared.messages import RunRecord

log = logging.getLogger(__name__)

UPKEEP = "metrics"
LAG = timedelta(minutes=2)
"""A record is written some moments after the end that it tells of."""
LONGEST = timedelta(days=30)
"""From a request to the end of its run; a roll-out may wait for approval."""
_PAGE = 200


async def tell_metrics(context: CycleContext) -> None:
    """Tell of the runs that have ended since the last cycle, and what is now. Nothing when no metrics are sent."""
    if not telemetry.sends_metrics() or context.had_runs is None:
        return
    with context.guard("tell the metrics of runs and releases"):
        await asyncio.to_thread(_tell, context.services.ledger, tuple(context.had_runs), context.now)


def _tell(ledger: Ledger, pipelines: tuple[str, ...], now: datetime) -> None:
    until, last = now - LAG, ledger.upkeep.last(UPKEEP)
    since = last.at if last is not None else until
    ended = list(_ended(ledger, pipelines, since, until)) if since < until else []
    ledger.upkeep.note(UPKEEP, max(since, until))
    for record in ended:
        tell_run(record)
    for pipeline in pipelines:
        unfinished = len(ledger.runs.unfinished(pipeline))
        telemetry.set_number("runs.unfinished", "{run}", "Runs without an outcome", unfinished, pipeline=pipeline)
    for state in ledger.targets.all():
        for release in state.seen.releases if state.seen is not None else ():
            facts = {"pipeline": state.pipeline, "target": state.target, "run_id": release.run_id}
            number = telemetry.set_number
            number("release.requests", "{request}", "Requests since the target counts", release.requests, **facts)
            number("release.errors", "{request}", "Of these, failed ones", release.errors, **facts)
            number("release.weight", "%", "The release's part of the traffic", release.weight, **facts)


def tell_run(record: RunRecord) -> None:
    """Count a run that has ended, with its times."""
    facts = {"pipeline": record.pipeline, "outcome": record.outcome.value if record.outcome else ""}
    kind = record.failure_kind.value if record.failure_kind else None
    telemetry.count("runs", "{run}", "Runs that have ended", **facts, cause=record.cause.value, error=kind)
    times = times_of(record)
    for name, description, seconds in (
        ("run.queue", "From asking for the compute to having it", times.queue),
        ("run.training", "From having the compute to the end of the training", times.training),
        ("run.live", "From the newest file to the model that serves", times.live),
        ("run.duration", "From the request to the outcome", record.seconds),
    ):
        if seconds is not None:
            telemetry.observe_seconds(name, description, seconds, **facts)


def _ended(ledger: Ledger, pipelines: tuple[str, ...], since: datetime, until: datetime) -> Iterator[RunRecord]:
    """The runs that ended after ``since``, until ``until``."""
    after: str | None = None
    while True:
        page = ledger.runs.list_runs(pipelines, since=since - LONGEST, limit=_PAGE, after=after)
        for record in page.items:
            if record.outcome is not None and record.ended_at is not None and since < record.ended_at <= until:
                yield record
        after = page.next
        if after is None:
            return
