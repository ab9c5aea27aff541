"""Runs whose orchestration died: started, or ended with an outcome, which also frees the compute they hold."""

import asyncio

from function_app.watching.instances import look_up, start
from function_app.watching.passes import Pass
from orchestrations.wind_up_run import NAME as WIND_UP_RUN
from shared.decisions.watching import Instance, Life, Start, ended, run_step
from shared.messages import RunEnd, RunRequest

CHILDREN = ("compute", "training")  # what waits for the compute, and what submits and polls the training


async def adopt_runs(this: Pass) -> None:
    """Look after every run that was claimed and has no outcome."""
    for pipeline in await _pipelines(this):
        with this.guard(f"list the open runs of pipeline {pipeline}"):
            for request in await asyncio.to_thread(this.services.ledger.runs.open_runs, pipeline):
                with this.guard(f"adopt run {request.run_id}"):
                    await _adopt(this, request)


async def _pipelines(this: Pass) -> list[str]:
    """The pipelines that may have runs; also those whose file is broken or gone, as far as they queue for a compute."""
    pipelines = this.services.pipelines
    names = {pipeline.name for pipeline in pipelines.all} | set(pipelines.broken)
    for compute in sorted({pipeline.train.compute for pipeline in pipelines.all}):
        with this.guard(f"read the queue before compute {compute}"):
            queue = await asyncio.to_thread(this.services.ledger.computes.state, compute)
            names |= {lease.pipeline for lease in queue.holders} | {ticket.pipeline for ticket in queue.waiting}
    return sorted(names)


async def _adopt(this: Pass, request: RunRequest) -> None:
    run = await look_up(this.client, request.run_id)
    owner = Instance(life=Life.NEVER)
    if run.life is Life.NEVER:
        # In this order: an owner may start its run with its last breath.
        owner = await look_up(this.client, request.requested_by)
        run = await look_up(this.client, request.run_id)
    step = run_step(request, run, owner, now=this.now)
    if step is None:
        return
    record = await asyncio.to_thread(this.services.ledger.runs.run, request.run_id)
    if record is None or record.outcome is not None:
        return
    if isinstance(step, Start):
        await start(this.client, "retrain_model", request.run_id, request)
        this.done["runs started"] += 1
    else:
        await _wind_up(this, RunEnd(record=ended(record, step, run.stage, this.now), compute=request.plan.compute))


async def _wind_up(this: Pass, end: RunEnd) -> None:
    """Start the winding-up unless it is under way; one that failed is replaced.

    First its children are stopped: they outlive it, and one that has not submitted the training yet still would.
    """
    run_id, wind_up = end.record.run_id, f"{end.record.run_id}-wind-up"
    if (await look_up(this.client, wind_up)).life is Life.ALIVE:
        return
    for child in CHILDREN:
        if (await look_up(this.client, f"{run_id}-{child}")).life is Life.ALIVE:
            await this.client.terminate(f"{run_id}-{child}", f"run {run_id} is wound up")
    await start(this.client, WIND_UP_RUN, wind_up, end)
    this.done["runs wound up"] += 1
