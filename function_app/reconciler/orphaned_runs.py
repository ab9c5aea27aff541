"""Runs whose orchestration died: started, or ended with an outcome, which also frees the compute they hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from function_app.reconciler.cycle_context import Pass
from function_app.reconciler.instances import look_up, start
from orchestrations.finalize_orphaned_run import NAME as WIND_UP_RUN
from shared.decisions.reconciliation.orphans import (
    MOST_RESUMES,
    Instance,
    Life,
    Start,
    WindUp,
    after_roll_outs,
    ended,
    may_try,
    run_step,
)
from shared.messages import CHECKED, RunEnd
from shared.orchestration_ids import compute_id, delivery_id, roll_out_id, training_id, wind_up_id

if TYPE_CHECKING:
    from shared.clients.ledger import UnfinishedRun


async def adopt_runs(this: Pass) -> None:
    """Look after every run that was claimed and has no outcome, also of pipelines whose file is broken or gone."""
    known = this.services.pipelines
    if this.had_runs is None:
        with this.guard("list the pipelines that have had runs"):
            this.had_runs = await asyncio.to_thread(this.services.ledger.runs.pipelines)
    for pipeline in sorted({each.name for each in known.all}.union(known.broken, this.had_runs or ())):
        with this.guard(f"list the open runs of pipeline {pipeline}"):
            for found in await asyncio.to_thread(this.services.ledger.runs.unfinished, pipeline):
                with this.guard(f"adopt run {found.request.run_id}"):
                    if may_try(found.tries, found.at, this.now):
                        await _adopt(this, found)


async def _adopt(this: Pass, found: UnfinishedRun) -> None:
    request = found.request
    run = await look_up(this.client, request.run_id)
    owner = Instance(life=Life.NEVER)
    if run.life is Life.NEVER:
        # In this order: an owner may start its run with its last breath.
        owner = await look_up(this.client, request.requested_by)
        run = await look_up(this.client, request.run_id)
    step = run_step(request, run, owner, now=this.now)
    if isinstance(step, WindUp):
        step = await _after_roll_outs(this, step, found, run)
    if step is None:
        return
    record = await asyncio.to_thread(this.services.ledger.runs.run, request.run_id)
    if record is None or record.outcome is not None:
        return
    if isinstance(step, Start):
        if not await _counted(this, found):
            return
        await start(this.client, "retrain_model", request.run_id, replace(request, resumed=step.resumed))
        this.done["runs started"] += 1
    else:
        record = ended(record, step, run.stage, this.now)
        delivers = request.schema >= CHECKED
        await _wind_up(this, found, RunEnd(record=record, compute=request.plan.compute, delivers=delivers))


async def _counted(this: Pass, found: UnfinishedRun) -> bool:
    """Count the try, so that what fails again and again is tried ever more seldom; False when it is no longer due."""
    return await asyncio.to_thread(this.services.ledger.runs.trying, found, this.now)


async def _after_roll_outs(this: Pass, end: WindUp, found: UnfinishedRun, run: Instance) -> Start | WindUp | None:
    request = found.request
    names = [target.name for target in request.plan.targets]
    roll_outs = {name: await look_up(this.client, roll_out_id(request, name)) for name in names}
    # A run that carries all it needs of its pipeline's file goes on without it.
    has_all = request.plan.job is not None or request.pipeline in {known.name for known in this.services.pipelines.all}
    can_resume = has_all and found.tries < MOST_RESUMES
    return after_roll_outs(end, run, roll_outs, can_resume=can_resume, now=this.now)


async def _wind_up(this: Pass, found: UnfinishedRun, end: RunEnd) -> None:
    """Start the winding-up unless it is under way; one that failed is replaced.

    First its children are stopped: they outlive it, and one that has not submitted the training yet still would.
    """
    run_id, wind_up = end.record.run_id, wind_up_id(end.record.run_id)
    if (await look_up(this.client, wind_up)).life is Life.ALIVE:
        return
    if not await _counted(this, found):
        return
    for child in (compute_id(run_id), training_id(run_id), delivery_id(run_id)):
        if (await look_up(this.client, child)).life is Life.ALIVE:
            await this.client.terminate(child, f"run {run_id} is wound up")
    await start(this.client, WIND_UP_RUN, wind_up, end)
    this.done["runs wound up"] += 1
