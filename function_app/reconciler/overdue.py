"""Data that should have come and did not: noticed once, kept as a trouble while they are overdue, announced once.

A cycle asks the ledger for nothing while nothing can have become overdue: the next moment at which something may is
remembered by the process, and kept in the ledger for the next one. A pipeline whose data are overdue is looked at in
every cycle, by the counts since its gap began.

Nobody waits for the data of a pipeline that is retired or has no file: it is looked at no more, and what is expected
begins anew when it is reinstated or has a file again. What is known of a removed one goes when its counts do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from function_app.composition import Services
from function_app.reconciler.cycle_context import CycleContext
from shared.decisions.arrivals.day_counts import QUARTER, History
from shared.decisions.arrivals.overdue import expectation
from shared.decisions.arrivals.rests import is_forgotten, is_resting, rests_of
from shared.decisions.explanations.expectation_text import gap_text
from shared.decisions.reconciliation.overdue_watch import is_due, is_run_out, is_the_same_gap, may_be_raised
from shared.decisions.reconciliation.spreading import room
from shared.decisions.reconciliation.troubles import Aspect, Finding
from shared.messages import Basis, Every, OverdueData, TroubleKind, Watch

if TYPE_CHECKING:
    from shared.clients.ledger import UnfinishedWindow
    from shared.pipelines import Pipeline

MOST_PAST = 2_000
"""Rows of arrivals from before days were counted that one cycle reads for a pipeline: two requests."""
_TAKEN_BACK_WITHIN = timedelta(minutes=2)
"""A retirement that has to wait for a run is taken back at once, and then nobody has stopped waiting."""


async def watch_for_overdue(context: CycleContext, unfinished: Collection[UnfinishedWindow]) -> None:
    """Look at the pipelines whose time has come. ``unfinished``: the windows without a verdict."""
    sighted = {found.window.pipeline: found.opened_at for found in unfinished if not found.closed} | context.sighted
    with context.guard("look for data that are overdue"):
        await asyncio.to_thread(_watch, context, sighted)


def _watch(context: CycleContext, sighted: Mapping[str, datetime]) -> None:
    known, every = context.services.watches, context.services.pipelines.all
    _note_rests(context)
    watched = [each for each in every if not (each.name in context.retired or _rests(known.get(each.name)))]
    for pipeline in _in_turn(watched, known, context.now):
        with context.guard(f"look whether data of pipeline {pipeline.name} are overdue"):
            known[pipeline.name] = _look(context, pipeline, sighted.get(pipeline.name))
    for pipeline in every:
        watch = known.get(pipeline.name)
        if pipeline.name in context.retired:
            context.add_findings(pipeline.name, Aspect.ARRIVALS)
        elif watch is not None:
            found = [Finding(TroubleKind.OVERDUE, gap_text(watch.gap, watch.expecting.zone))] if watch.gap else []
            context.add_findings(pipeline.name, Aspect.ARRIVALS, found)
            with context.guard(f"announce that data of pipeline {pipeline.name} are overdue"):
                _tell(context, pipeline, watch)


def _rests(watch: Watch | None) -> bool:
    return watch is not None and is_resting(watch)


def _note_rests(context: CycleContext) -> None:
    """Note for whose data nobody waits now, and for whose somebody waits again."""
    known, files = context.services.watches, context.services.pipelines
    retired = {name for name in context.retired if files.has_file(name)}
    for name in sorted({*known, *retired}):
        if files.has_file(name) and (name in retired) == _rests(known.get(name)):
            continue
        if not files.has_file(name) and _rests(known[name]) and not is_forgotten(known[name], context.now):
            continue
        with context.guard(f"note whether somebody waits for data of pipeline {name}"):
            _note_rest(context, name)


def _note_rest(context: CycleContext, name: str) -> None:
    """What others noted meanwhile is read first; so is who retired it, since this cycle may know it no more."""
    services, now = context.services, context.now
    ledger, removed = services.ledger, not services.pipelines.has_file(name)
    before = ledger.expectations.of(name)
    if removed and (before is None or is_forgotten(before, now)):
        ledger.expectations.forget(name)
        services.watches.pop(name, None)
        return
    mark = None if removed else ledger.actions.retirement(name)
    if mark is not None and mark.at > now - _TAKEN_BACK_WITHIN:
        return
    since = now if removed else mark.at if mark else None
    watch = before or Watch(since=now, next_at=now)
    rests = rests_of(watch, resting_since=since, now=now)
    after = watch if rests == watch.rests else replace(watch, rests=rests, gap=None, told=False, next_at=now)
    if after != before:
        ledger.expectations.keep(name, after)
    services.watches[name] = after


def _in_turn(pipelines: Iterable[Pipeline], known: Mapping[str, Watch], now: datetime) -> list[Pipeline]:
    """Those whose data are overdue, and of the others that are due those that have waited for longest."""
    due = [each for each in pipelines if is_due(known.get(each.name), each.expecting, now)]
    late = [each for each in due if each.name in known and known[each.name].gap is not None]
    others = [each for each in due if each not in late]
    others.sort(key=lambda each: known[each.name].next_at if each.name in known else now)
    return late + others[: room(len(due))]


def _look(context: CycleContext, pipeline: Pipeline, sighted: datetime | None) -> Watch:
    ledger, now = context.services.ledger, context.now
    before = ledger.expectations.of(pipeline.name)
    after = before or Watch(since=now, next_at=now)
    if not after.backfill.done:
        past = ledger.arrivals.backfill(pipeline.name, after.backfill, now=now, most=MOST_PAST)
        after = replace(after, backfill=past)
    if pipeline.expecting.every is Every.NONE:
        later = now + timedelta(days=1)
        after = replace(after, gap=None, told=False, expecting=pipeline.expecting, next_at=later, near=())
    elif after.backfill.done:
        waits = _still_waits(context.services, pipeline, after, sighted, now)
        if not waits or is_run_out(after, now):
            after = _assessed(context, pipeline, after, sighted, waits=waits)
    if after != before:
        ledger.expectations.keep(pipeline.name, after)
    return after


def _still_waits(services: Services, pipeline: Pipeline, watch: Watch, sighted: datetime | None, now: datetime) -> bool:
    """Whether nothing has come since the gap began, which one request for few rows tells."""
    if watch.gap is None or watch.expecting != pipeline.expecting:
        return False
    counts = _with(sighted, services.ledger.arrivals.counted(pipeline.name, since=watch.gap.start))
    return counts.files(watch.gap.start, now + QUARTER) == 0


def _assessed(
    context: CycleContext, pipeline: Pipeline, before: Watch, sighted: datetime | None, *, waits: bool
) -> Watch:
    """What is expected by the whole history. ``waits``: the gap goes on, however far back the counts still go."""
    now = context.now
    counts = _with(sighted, context.services.ledger.arrivals.counted_and_tidied(pipeline.name, now))
    found = expectation(pipeline.expecting, counts, now, since=before.since, rests=before.rests)
    gap, next_at = before.gap if waits else found.gap, found.next_at or now
    if gap is not None and before.gap is None and not may_be_raised(context.findings.get(pipeline.name, {})):
        gap, next_at = None, now  # what came to a hub that does not answer is not known; that it does not is told
    return replace(
        before,
        expecting=pipeline.expecting,
        gap=gap,
        told=before.told and is_the_same_gap(before.gap, gap, counts),
        next_at=next_at,
        near=found.near,
    )


def _with(sighted: datetime | None, counts: Mapping[datetime, int]) -> History:
    """The history, with what an open window has seen and nobody has counted yet."""
    return History(counts) if sighted is None else History(counts).with_file(sighted)


def _tell(context: CycleContext, pipeline: Pipeline, watch: Watch) -> None:
    if watch.gap is None or watch.told:
        return
    context.services.announcements.publish_overdue(
        OverdueData(
            pipeline=pipeline.name,
            site=pipeline.data.site,
            gap=watch.gap,
            zone=watch.expecting.zone,
            basis=Basis.FORECAST if watch.expecting.every is None else Basis.FILE,
            sentence=gap_text(watch.gap, watch.expecting.zone),
            occurred_at=context.now,
        )
    )
    told = replace(watch, told=True)
    context.services.ledger.expectations.keep(pipeline.name, told)
    context.services.watches[pipeline.name] = told
    context.done["overdue data announced"] += 1
