"""Roll a target back to an earlier release."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import azure.durable_functions as df

from activities.act_by_hand import image_of
from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.actions import begin
from function_app.api.giving_way import give_way, is_waiting
from function_app.api.handlers import Located
from function_app.api.known_pipelines import name_of
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.clients.ledger.keys import digest
from shared.decisions.delivery import action_sentences as said
from shared.decisions.delivery.rolling_back import release_before, serving_run
from shared.messages import Action, ActionKind, Actor, RunRecord, RunRequest, TargetState, delivery_of


async def roll_back(
    target: str,
    name: str,
    *,
    body: m.RollBackBody,
    actor: Actor,
    services: Services,
    client: df.DurableOrchestrationClient,
) -> Located[d.ActionView]:
    """Start the roll-back; the same request while it is under way finds it."""
    action = await asyncio.to_thread(_action, target, name, body, actor, services)
    holders = await asyncio.to_thread(_delivering, action, services)
    for run_id, request in holders.items():
        if request is None or not await is_waiting(request, client):
            raise RefusedError(409, "delivery_under_way", said.under_way(action.pipeline, run_id))
    waits = [request for request in holders.values() if request is not None]
    begun = await begin(replace(action, superseded=tuple(holders)), services, client)
    await give_way(action, waits, services, client)
    return begun


def _action(target: str, name: str, body: m.RollBackBody, actor: Actor, services: Services) -> Action:
    pipeline, ledger = name_of(name, services), services.ledger
    known = ledger.targets.of(target, pipeline)
    bad = serving_run(known)
    if bad is None:
        raise RefusedError(404, "unknown_release", said.nothing_there(target, pipeline), field="target")
    for under_way in ledger.actions.unfinished():
        if (under_way.pipeline, under_way.target, under_way.kind) == (pipeline, target, ActionKind.ROLL_BACK):
            if body.to in {None, under_way.to}:
                return under_way
            raise RefusedError(409, "roll_back_under_way", said.another_under_way(under_way), field="to")
    if body.instead_of is not None and body.instead_of != bad:
        raise RefusedError(409, "serves_another", said.serves_another(target, body.instead_of, bad), field="instead_of")
    to = body.to or _before(bad, known, services)
    if to == bad:
        raise RefusedError(409, "serves_already", said.serves_already(target, to), field="to")
    if to is None:
        raise RefusedError(409, "nothing_to_roll_back", said.nothing_before(target, pipeline))
    known_run = ledger.runs.run(to)  # without its record it could not become the champion
    if known_run is None or image_of(to, pipeline, images=ledger.built_images, runs=ledger.runs) is None:
        raise RefusedError(404, "unknown_release", said.unknown_release(to, pipeline), field="to")
    now = datetime.now(UTC)
    return Action(
        action_id=f"back-{pipeline}-{now:%Y%m%dt%H%M%S}-{digest(target, to, str(now.microsecond))[:6]}",
        kind=ActionKind.ROLL_BACK,
        pipeline=pipeline,
        by=actor,
        reason=body.reason,
        asked_at=now,
        target=target,
        to=to,
        bad=bad,
    )


def _before(bad: str, known: TargetState, services: Services) -> str | None:
    """The release before, without those that somebody took back: they come back only when they are named."""
    runs = services.ledger.runs
    records = [runs.run(run_id) for run_id in (known.seen.kept if known.seen else ())]
    kept = {each.run_id: each for each in records if each is not None and not _was_taken_back(each, services)}
    return release_before(bad, runs.run(bad), known, kept)


def _was_taken_back(record: RunRecord, services: Services) -> bool:
    quarantine = services.ledger.quarantines.get(record.pipeline, record.fingerprint)
    return quarantine is not None and quarantine.active and quarantine.rolled_back


def _delivering(action: Action, services: Services) -> dict[str, RunRequest | None]:
    """The run that has the pipeline's delivery, unless the action has begun: then it waits for its turn already."""
    ledger = services.ledger
    if ledger.actions.action(action.action_id) is not None:
        return {}
    holders = [lease.run_id for lease in ledger.computes.state(delivery_of(action.pipeline)).holders]
    records = {run_id: ledger.runs.run(run_id) for run_id in holders}
    return {
        run_id: ledger.runs.request(run_id)
        for run_id, record in records.items()
        if record is not None and record.outcome is None
    }
