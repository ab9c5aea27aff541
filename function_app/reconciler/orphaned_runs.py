"""Orphaned runs: started again, or finalized with an outcome, which also frees their compute."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.instances import look_up, start
from function_app.run_endings import finalization_of, finalize
from shared.decisions.delivery.undoing import cancelled, end_of
from shared.decisions.reconciliation.orphans import (
    MOST_RESUMES,
    FinalizeRun,
    InstanceStatus,
    Liveness,
    StartAgain,
    after_roll_outs,
    decide_orphaned_run,
    finalized_record,
    retry_is_due,
)
from shared.orchestration_ids import roll_out_id

if TYPE_CHECKING:
    from shared.clients.ledger import UnfinishedRun
    from shared.messages import Cancellation, RunRecord


async def recover_runs(context: CycleContext) -> None:
    """Check every claimed run without an outcome, also of pipelines whose file is broken or removed."""
    known = context.services.pipelines
    if context.had_runs is None:
        with context.guard("list the pipelines that have had runs"):
            context.had_runs = await asyncio.to_thread(context.services.ledger.runs.pipelines)
    for pipeline in sorted({each.name for each in known.all}.union(known.broken, context.had_runs or ())):
        with context.guard(f"list the open runs of pipeline {pipeline}"):
            for found in await asyncio.to_thread(context.services.ledger.runs.unfinished, pipeline):
                with context.guard(f"resume run {found.request.run_id}"):
                    if retry_is_due(found.tries, found.at, context.now):
                        await _recover(context, found)


async def _recover(context: CycleContext, found: UnfinishedRun) -> None:
    request = found.request
    cancellation = await asyncio.to_thread(context.services.ledger.runs.cancellation, request.run_id)
    run = await look_up(context.client, request.run_id)
    if cancellation is not None:
        await _end_cancelled(context, found, cancellation, run)
        return
    owner = InstanceStatus(life=Liveness.NEVER)
    if run.life is Liveness.NEVER:
        # In this order: an owner may start its run just before it ends.
        owner = await look_up(context.client, request.requested_by)
        run = await look_up(context.client, request.run_id)
    step = decide_orphaned_run(request, run, owner, now=context.now)
    if isinstance(step, FinalizeRun):
        step = await _after_roll_outs(context, step, found, run)
    if step is None:
        return
    record = await asyncio.to_thread(context.services.ledger.runs.run, request.run_id)
    if record is None or record.outcome is not None:
        return
    if isinstance(step, StartAgain):
        if not await _count_try(context, found):
            return
        await start(context.client, "retrain_model", request.run_id, replace(request, resumed=step.resumed))
        context.done["runs started"] += 1
    else:
        await _finalize(context, found, finalized_record(record, step, run.stage, context.now))


async def _end_cancelled(
    context: CycleContext, found: UnfinishedRun, cancellation: Cancellation, run: InstanceStatus
) -> None:
    """Somebody cancelled it, and what that started is gone."""
    record = await asyncio.to_thread(context.services.ledger.runs.run, found.request.run_id)
    if record is not None and record.outcome is None:
        await _finalize(context, found, cancelled(record, cancellation, run.stage, context.now))


async def _count_try(context: CycleContext, found: UnfinishedRun) -> bool:
    """Count the try, so that repeated failures are tried at growing intervals; False when it is not due any more."""
    return await asyncio.to_thread(context.services.ledger.runs.trying, found, context.now)


async def _after_roll_outs(
    context: CycleContext, end: FinalizeRun, found: UnfinishedRun, run: InstanceStatus
) -> StartAgain | FinalizeRun | None:
    request = found.request
    names = [target.name for target in request.plan.targets]
    roll_outs = {name: await look_up(context.client, roll_out_id(request, name)) for name in names}
    # A run that carries its plan does not need its pipeline's file.
    has_all = request.plan.job is not None or request.pipeline in {
        known.name for known in context.services.pipelines.all
    }
    can_resume = has_all and found.tries < MOST_RESUMES
    return after_roll_outs(end, run, roll_outs, can_resume=can_resume, now=context.now)


async def _finalize(context: CycleContext, found: UnfinishedRun, record: RunRecord) -> None:
    """Start the finalization unless it is under way; a failed one is replaced."""
    request = found.request
    if (await finalization_of(context.client, request.run_id)).life is Liveness.ALIVE:
        return
    if not await _count_try(context, found):
        return
    await finalize(context.client, request, end_of(request, record), f"run {request.run_id} is finalized")
    context.done["runs finalized"] += 1
