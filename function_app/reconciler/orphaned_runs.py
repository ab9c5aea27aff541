"""Orphaned runs: started again, or finalized with an outcome, which also frees their compute."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.instances import look_up, start
from orchestrations.finalize_orphaned_run import NAME as FINALIZE_ORPHANED_RUN
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
from shared.messages import FAIR_COMPARISON_SCHEMA, RunEnd
from shared.orchestration_ids import compute_id, delivery_id, finalization_id, roll_out_id, training_id

if TYPE_CHECKING:
    from shared.clients.ledger import UnfinishedRun


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
    run = await look_up(context.client, request.run_id)
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
        record = finalized_record(record, step, run.stage, context.now)
        delivers = request.schema >= FAIR_COMPARISON_SCHEMA
        await _finalize(context, found, RunEnd(record=record, compute=request.plan.compute, delivers=delivers))


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


async def _finalize(context: CycleContext, found: UnfinishedRun, end: RunEnd) -> None:
    """Start the finalization unless it is under way; a failed one is replaced.

    The run's sub-orchestrations are terminated first: they outlive it, and one could still submit the training.
    """
    run_id, instance_id = end.record.run_id, finalization_id(end.record.run_id)
    if (await look_up(context.client, instance_id)).life is Liveness.ALIVE:
        return
    if not await _count_try(context, found):
        return
    for child in (compute_id(run_id), training_id(run_id), delivery_id(run_id)):
        if (await look_up(context.client, child)).life is Liveness.ALIVE:
            await context.client.terminate(child, f"run {run_id} is finalized")
    await start(context.client, FINALIZE_ORPHANED_RUN, instance_id, end)
    context.done["runs finalized"] += 1
