"""Cancel a run, and decide about its roll-outs, however that was asked for: by HTTP or by a message.

The ledger knows of it first, so that the reconciler or the roll-out goes on when the app dies after that.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import azure.durable_functions as df

from function_app.composition import Services
from function_app.durable_client import stage_of, status_of
from function_app.problems import RefusedError
from function_app.reconciler.instances import look_up
from function_app.run_endings import finalization_of, finalize
from shared.decisions.delivery import approval_sentences as asked
from shared.decisions.delivery import hand_sentences as said
from shared.decisions.delivery.undoing import cancelled, cancelled_text, end_of
from shared.decisions.reconciliation.orphans import Liveness
from shared.messages import Actor, Approval, Cancellation, RunRequest, Stage
from shared.orchestration_ids import roll_out_id

DECIDED = "decided"
"""The event that says that somebody has decided; only a hint, the ledger knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The decisions that hold about a run's targets, and what was decided now, in a sentence."""

    run_id: str
    held: Sequence[Approval]
    sentence: str


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
        raise _unknown(run_id)
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


async def decide(wish: Approval, services: Services, client: df.DurableOrchestrationClient) -> Decisions:
    """Decide for one target, or for every one that nobody has decided about yet when the wish names none.

    The same decision again is no error. Another one is refused: a roll-out may have acted on the first.
    """
    request = await _waiting(wish, services, client)
    kept = [await asyncio.to_thread(services.ledger.approvals.of, wish.run_id, name) for name in _names(wish, request)]
    others = [each for each in kept if each.approved is not None and each.approved is not wish.approved]
    if others and (wish.target or len(others) == len(kept)):
        raise RefusedError(409, "decided_already", asked.decided_otherwise(others[0]))
    open_ = [each.target for each in kept if each.approved is None]
    now = datetime.now(UTC)
    made = [await asyncio.to_thread(services.ledger.approvals.decide, _for(wish, target, now)) for target in open_]
    for target in open_:
        await wake(client, roll_out_id(request, target), wish.run_id)
    held = [*(each for each in kept if each.approved is not None), *made]
    lost = next((each for each in made if each.approved is not wish.approved), None)
    if lost is not None:
        raise RefusedError(409, "decided_already", asked.decided_otherwise(lost))
    sentence = asked.decided(wish, open_, [each.target for each in held])
    return Decisions(run_id=wish.run_id, held=tuple(held), sentence=sentence)


async def _waiting(wish: Approval, services: Services, client: df.DurableOrchestrationClient) -> RunRequest:
    """The run's request, if its roll-outs wait for a decision, or may begin to."""
    record = await asyncio.to_thread(services.ledger.runs.run, wish.run_id)
    if record is None:
        raise _unknown(wish.run_id)
    if record.outcome is not None:
        raise RefusedError(409, "not_waiting", asked.has_ended(record))
    request = await asyncio.to_thread(services.ledger.runs.request, wish.run_id)
    if request is None or request.plan.delivery.approval is None:
        raise RefusedError(409, "not_waiting", asked.needs_none(wish.run_id, record.pipeline))
    if wish.target and wish.target not in {target.name for target in request.plan.targets}:
        known = ", ".join(target.name for target in request.plan.targets)
        raise RefusedError(404, "unknown_target", asked.no_such_target(wish, known), field="target")
    status = await status_of(client, wish.run_id)
    stage = stage_of(status.custom_status) if status is not None else None
    if stage is not Stage.ROLLING_OUT:
        raise RefusedError(409, "not_waiting", asked.not_there_yet(wish.run_id, stage))
    return request


def _names(wish: Approval, request: RunRequest) -> list[str]:
    return [wish.target] if wish.target else [target.name for target in request.plan.targets]


def _for(wish: Approval, target: str, now: datetime) -> Approval:
    return Approval(run_id=wish.run_id, target=target, approved=wish.approved, by=wish.by, reason=wish.reason, at=now)


async def wake(client: df.DurableOrchestrationClient, instance_id: str, run_id: str) -> None:
    """Hint at a roll-out that somebody has decided."""
    with suppress(Exception):  # the SDK knows no narrower type; it has not begun, or has ended, and reads the ledger
        await client.raise_event(instance_id, DECIDED, {"run_id": run_id})


def _unknown(run_id: str) -> RefusedError:
    return RefusedError(404, "unknown_run", f"there is no run {run_id!r}; the list of runs has them all")
