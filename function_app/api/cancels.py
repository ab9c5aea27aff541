"""Cancel a run that is under way, or the run retry of one that failed for a cause outside."""

import asyncio
from datetime import UTC, datetime

import azure.durable_functions as df

from function_app.api import models as m
from function_app.composition import Services
from function_app.problems import RefusedError
from function_app.reconciler.instances import look_up
from function_app.run_endings import finalization_of, finalize
from shared.decisions.delivery import hand_sentences as said
from shared.decisions.delivery.undoing import cancelled, cancelled_text, end_of
from shared.decisions.reconciliation.orphans import Liveness
from shared.messages import Actor, Cancellation


async def cancel_run(
    run_id: str, body: m.HandBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> m.Cancelled:
    """See :func:`cancel`."""
    sentence = await cancel(run_id, actor, body.reason, services, client)
    return m.Cancelled(run_id=run_id, sentence=sentence)


async def cancel(
    run_id: str, actor: Actor, reason: str, services: Services, client: df.DurableOrchestrationClient
) -> str:
    """Stop the run and undo what it made outside, or cancel its run retry; returns what follows, in a sentence.

    Cancelling a run that has ended, or is being cancelled, does nothing and says so: repeating the request is no error.
    The ledger knows of it first. If the app dies after that, the reconciler goes on.
    """
    now = datetime.now(UTC)
    runs = services.ledger.runs
    record = await asyncio.to_thread(runs.cancel, run_id, Cancellation(by=actor, reason=reason, at=now))
    if record is None:
        raise RefusedError(404, "unknown_run", f"there is no run {run_id!r}; GET /api/runs lists them")
    if record.outcome is not None:
        return await _forget_the_next(run_id, services)
    request = await asyncio.to_thread(runs.request, run_id)
    kept = await asyncio.to_thread(runs.cancellation, run_id)
    if request is None or kept is None:
        raise RefusedError(409, "not_running", said.has_no_request(run_id))
    if (await finalization_of(client, run_id)).life is not Liveness.ALIVE:
        stage = (await look_up(client, run_id)).stage
        end = end_of(request, cancelled(record, kept, stage, now))
        await finalize(client, request, end, cancelled_text(kept))
    return said.being_cancelled(run_id)


async def _forget_the_next(run_id: str, services: Services) -> str:
    planned = await asyncio.to_thread(services.ledger.retries.planned, run_id)
    if planned is None:
        return said.nothing_to_cancel(run_id)
    await asyncio.to_thread(services.ledger.retries.forget, run_id)
    return said.not_tried_again(run_id)
