"""Approve or reject the roll-out of a run's model: the ledger keeps the first decision; then roll-outs are woken."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.runs import decision_views, known_run
from function_app.composition import Services
from function_app.durable_client import stage_of, status_of
from function_app.problems import RefusedError
from shared.decisions.delivery import approval_sentences as said
from shared.decisions.explanations.actors import actor_text
from shared.messages import Actor, Approval, RunRequest, Stage
from shared.orchestration_ids import roll_out_id

DECIDED = "decided"
"""The event that says that somebody has decided; only a hint, the ledger knows."""


async def approve_run(
    run_id: str, body: m.ApproveBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> d.Decided:
    """Let the model be rolled out."""
    wish = Approval(run_id=run_id, target=body.target or "", approved=True, by=actor_text(actor), reason=body.reason)
    return await decide(wish, services, client)


async def reject_run(
    run_id: str, body: m.RejectBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> d.Decided:
    """Keep the model from its targets."""
    wish = Approval(run_id=run_id, target=body.target or "", approved=False, by=actor_text(actor), reason=body.reason)
    return await decide(wish, services, client)


async def decide(wish: Approval, services: Services, client: df.DurableOrchestrationClient) -> d.Decided:
    """Decide for one target, or for every one that nobody has decided about yet when the wish names none.

    The same decision again is no error. Another one is refused: a roll-out may have acted on the first.
    """
    request = await _waiting(wish, services, client)
    kept = [await asyncio.to_thread(services.ledger.approvals.of, wish.run_id, name) for name in _names(wish, request)]
    others = [each for each in kept if each.approved is not None and each.approved is not wish.approved]
    if others and (wish.target or len(others) == len(kept)):
        raise RefusedError(409, "decided_already", said.decided_otherwise(others[0]))
    open_ = [each.target for each in kept if each.approved is None]
    now = datetime.now(UTC)
    made = [await asyncio.to_thread(services.ledger.approvals.decide, _for(wish, target, now)) for target in open_]
    for target in open_:
        await _wake(client, roll_out_id(request, target), wish.run_id)
    held = [*(each for each in kept if each.approved is not None), *made]
    lost = next((each for each in made if each.approved is not wish.approved), None)
    if lost is not None:
        raise RefusedError(409, "decided_already", said.decided_otherwise(lost))
    sentence = said.decided(wish, open_, [each.target for each in held])
    return d.Decided(run_id=wish.run_id, decisions=decision_views(held), sentence=sentence)


async def _waiting(wish: Approval, services: Services, client: df.DurableOrchestrationClient) -> RunRequest:
    """The run's request, if its roll-outs wait for a decision, or may begin to."""
    record = await known_run(wish.run_id, services)
    if record.outcome is not None:
        raise RefusedError(409, "not_waiting", said.has_ended(record))
    request = await asyncio.to_thread(services.ledger.runs.request, wish.run_id)
    if request is None or request.plan.delivery.approval is None:
        raise RefusedError(409, "not_waiting", said.needs_none(wish.run_id, record.pipeline))
    if wish.target and wish.target not in {target.name for target in request.plan.targets}:
        known = ", ".join(target.name for target in request.plan.targets)
        raise RefusedError(404, "unknown_target", said.no_such_target(wish, known), field="target")
    status = await status_of(client, wish.run_id)
    stage = stage_of(status.custom_status) if status is not None else None
    if stage is not Stage.ROLLING_OUT:
        raise RefusedError(409, "not_waiting", said.not_there_yet(wish.run_id, stage))
    return request


def _names(wish: Approval, request: RunRequest) -> list[str]:
    return [wish.target] if wish.target else [target.name for target in request.plan.targets]


def _for(wish: Approval, target: str, now: datetime) -> Approval:
    return Approval(run_id=wish.run_id, target=target, approved=wish.approved, by=wish.by, reason=wish.reason, at=now)


async def _wake(client: df.DurableOrchestrationClient, instance_id: str, run_id: str) -> None:
    with suppress(Exception):  # the SDK knows no narrower type; it has not begun, or has ended, and reads the ledger
        await client.raise_event(instance_id, DECIDED, {"run_id": run_id})
