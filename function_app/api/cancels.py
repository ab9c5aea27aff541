"""Cancel a run that is under way, or the run retry of one that failed for a cause outside."""

import asyncio

import azure.durable_functions as df

from function_app.api import models as m
from function_app.api.runs import known_run
from function_app.composition import Services
from function_app.durable_client import status_of
from function_app.problems import RefusedError
from shared.decisions.reconciliation.orphans import Liveness, liveness_of

WHY = "it was cancelled by POST /api/runs/{run_id}/cancel"


async def cancel_run(run_id: str, services: Services, client: df.DurableOrchestrationClient) -> m.Cancelled:
    """Terminate the run's orchestration, which the reconciler then finalizes; or cancel its run retry.

    Cancelling a run that has ended does nothing and says so, so that repeating the request is no error.
    """
    record = await known_run(run_id, services)
    if record.outcome is not None:
        return await _forget_the_next(run_id, services)
    status = await status_of(client, run_id)
    if status is None or liveness_of(status.runtime_status.value) is not Liveness.ALIVE:
        detail = f"run {run_id} has no orchestration; the reconciler starts or ends it within minutes"
        raise RefusedError(409, "not_running", detail)
    await client.terminate(run_id, WHY.format(run_id=run_id))
    then = "the reconciler stops its training, frees its compute and records its outcome within 4 minutes"
    return m.Cancelled(run_id=run_id, sentence=f"run {run_id} is being cancelled; {then}")


async def _forget_the_next(run_id: str, services: Services) -> m.Cancelled:
    planned = await asyncio.to_thread(services.ledger.retries.planned, run_id)
    if planned is None:
        sentence = f"run {run_id} has ended, and the app will not try it again by itself, so there is nothing to cancel"
        return m.Cancelled(run_id=run_id, sentence=sentence)
    await asyncio.to_thread(services.ledger.retries.forget, run_id)
    return m.Cancelled(run_id=run_id, sentence=f"the app will not try run {run_id} again by itself")
