"""Run retries: request a new attempt at runs that failed for a cause outside, when due; admission decides anew.

Whether the cause is over shows only in the attempt: while it lasts, the attempt fails early and the next one waits
longer (``shared.decisions.training.retry_schedule``). Admission lists the data again, so the current data are trained,
and a fingerprint that was tried by somebody else meanwhile is not tried twice.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from function_app.composition import Services
from function_app.durable_client import status_of
from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.instances import start
from orchestrations.request_run import NAME as REQUEST_RUN
from shared.decisions.reconciliation.orphans import Liveness, liveness_of
from shared.decisions.training.retry_schedule import RUN_RETRY_PAUSES, is_tried_again
from shared.messages import AdmissionRequest, RunRequest

if TYPE_CHECKING:
    from shared.clients.ledger import Retry

log = logging.getLogger(__name__)


async def try_again(context: CycleContext) -> None:
    """Request the due retries; forget those that were answered, tried by others, or requested too often."""
    found: list[Retry] = []
    with context.guard("list the runs that are to be tried again"):
        found = await asyncio.to_thread(context.services.ledger.retries.all)
    for retry in found:
        if retry.pipeline in context.retired:
            continue
        with context.guard(f"try run {retry.run_id} again"):
            await _try(context, retry)


def request_of(failed: RunRequest, context: CycleContext) -> AdmissionRequest:
    """The request for another attempt; the same whenever it is built, but for its time."""
    return AdmissionRequest(
        pipeline=failed.pipeline,
        cause=failed.cause,
        requested_by=instance_of(failed.run_id),
        requested_at=context.now,
        parameters=failed.parameters if failed.own_parameters else {},
        force=failed.forced,
        note=failed.note or f"run {failed.run_id} is tried again by the app",
    )


def instance_of(run_id: str) -> str:
    """The id of the orchestration that requests another attempt."""
    return f"again-{run_id}"


async def _try(context: CycleContext, retry: Retry) -> None:
    ledger = context.services.ledger
    if retry.tries and await _is_answered(context, retry):
        await asyncio.to_thread(ledger.retries.forget, retry.run_id)
        return
    if context.now < retry.at:
        return
    failed = await asyncio.to_thread(_request_of, context.services, retry.run_id)
    if failed is None or retry.tries == len(RUN_RETRY_PAUSES) or await _was_tried(context, failed):
        await asyncio.to_thread(ledger.retries.forget, retry.run_id)
        if failed is not None and retry.tries == len(RUN_RETRY_PAUSES):
            log.error("run %s is not tried again: every request for another attempt failed", retry.run_id)
        return
    if await asyncio.to_thread(ledger.retries.trying, retry, context.now + RUN_RETRY_PAUSES[retry.tries]):
        await start(context.client, REQUEST_RUN, instance_of(retry.run_id), request_of(failed, context))
        context.done["failed runs tried again"] += 1


def _request_of(services: Services, run_id: str) -> RunRequest | None:
    """The run's request; None when the run ended otherwise after all, for example was cancelled just then."""
    record = services.ledger.runs.run(run_id)
    return services.ledger.runs.request(run_id) if record is not None and is_tried_again(record) else None


async def _is_answered(context: CycleContext, retry: Retry) -> bool:
    """Whether the request was answered: by a run, or by the reason why there is none."""
    status = await status_of(context.client, instance_of(retry.run_id))
    if status is None or liveness_of(status.runtime_status.value) is Liveness.TERMINATED:
        return status is not None
    said = status.custom_status
    return isinstance(said, dict) and ("admission" in said or "rejected" in said)


async def _was_tried(context: CycleContext, failed: RunRequest) -> bool:
    """Whether the fingerprint was attempted again since."""
    attempts = await asyncio.to_thread(context.services.ledger.runs.runs_of, failed.pipeline, failed.fingerprint)
    return any(run.attempt > failed.attempt for run in attempts)
