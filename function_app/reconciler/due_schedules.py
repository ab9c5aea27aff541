"""``retrain_every``: start a request at each due time, claimed first."""

import asyncio
from datetime import UTC

from function_app.durable_client import start_once
from function_app.reconciler.cycle_context import CycleContext
from orchestrations.request_run import NAME as REQUEST_RUN
from shared.decisions.reconciliation.schedules import Begin, Counted, Resume, schedule_step
from shared.messages import AdmissionRequest, Cause


async def start_due(context: CycleContext) -> None:
    """Start what is due, once, even when several hosts check at the same time."""
    for pipeline in context.services.pipelines.all:
        if pipeline.retrain_every is not None and pipeline.name not in context.retired:
            with context.guard(f"keep the schedule of pipeline {pipeline.name}"):
                await _keep(context, pipeline.name, pipeline.retrain_every)


async def _keep(context: CycleContext, pipeline: str, cron: str) -> None:
    schedules = context.services.ledger.schedules
    before = await asyncio.to_thread(schedules.counted, pipeline)
    step = schedule_step(cron, before, context.now)
    if step is None:
        return
    claims = not isinstance(step, Resume)
    if claims and not await asyncio.to_thread(schedules.advance, pipeline, before, step.counted):
        return  # another host was quicker
    if isinstance(step, Begin):
        return
    request = request_of(pipeline, step.counted)
    if await start_once(context.client, REQUEST_RUN, request.requested_by, request):
        context.done["schedules started"] += 1
    await asyncio.to_thread(schedules.started, pipeline, step.counted)


def request_of(pipeline: str, counted: Counted) -> AdmissionRequest:
    """The request of a due time; the same whenever it is built."""
    due = counted.last.astimezone(UTC)
    return AdmissionRequest(
        pipeline=pipeline,
        cause=Cause.SCHEDULE,
        requested_by=f"schedule-{pipeline}-{due:%Y%m%dT%H%M}",
        requested_at=counted.claimed_at,
        note=f"retrain_every {counted.cron}, due {due:%Y-%m-%d %H:%M} UTC",
    )
