"""Retire a pipeline, and take that back."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.actions import begin
from function_app.api.giving_way import give_way, is_waiting
from function_app.api.handlers import Located
from function_app.api.known_pipelines import name_of
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.decisions.delivery import action_sentences as said
from shared.decisions.explanations.actors import actor_text
from shared.messages import Action, ActionKind, Actor, Retirement, RunRequest

log = logging.getLogger(__name__)


async def retire_pipeline(
    name: str, body: m.RetireBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> Located[d.ActionView]:
    """Mark the pipeline, so that nothing new is admitted, then empty its targets. A repetition finds the first one."""
    action, under_way = await asyncio.to_thread(_action, name, body, actor, services)
    busy = [request.run_id for request in under_way if not await is_waiting(request, client)]
    if busy:
        await asyncio.to_thread(services.ledger.actions.reinstate, action.pipeline)
        raise RefusedError(409, "runs_under_way", said.runs_under_way(action.pipeline, busy))
    waiting = tuple(request.run_id for request in under_way)
    begun = await begin(replace(action, superseded=waiting), services, client)
    await give_way(action, under_way, services, client)
    return begun


def reinstate_pipeline(name: str, body: m.HandBody, actor: Actor, services: Services) -> d.Reinstated:
    """Let it train again: the reconciler looks at its data with its next cycle. Who asked is kept in the log."""
    pipeline, actions = name_of(name, services), services.ledger.actions
    retirement = actions.retirement(pipeline)
    if retirement is None:
        raise RefusedError(409, "not_retired", said.not_retired(pipeline))
    action_id = retirement.action_id
    if any(action.action_id == action_id for action in actions.unfinished()):
        raise RefusedError(409, "being_retired", said.being_retired(pipeline, action_id))
    actions.reinstate(pipeline)
    services.ledger.listings.clear_decision(pipeline)
    log.info("pipeline %s is reinstated by %s: %s", pipeline, actor_text(actor), body.reason or "no reason given")
    return d.Reinstated(pipeline=pipeline, sentence=said.reinstated(retirement))


def _action(name: str, body: m.RetireBody, actor: Actor, services: Services) -> tuple[Action, list[RunRequest]]:
    """The action, and the runs that are under way; none once it has begun."""
    pipeline, ledger = name_of(name, services), services.ledger
    wish = Retirement(pipeline=pipeline, by=actor, reason=body.reason, at=datetime.now(UTC))
    mark = ledger.actions.retire(wish)
    has_begun = ledger.actions.action(mark.action_id) is not None
    under_way = [] if has_begun else [found.request for found in ledger.runs.unfinished(pipeline)]
    targets = [state.target for state in ledger.targets.all() if state.pipeline == pipeline]
    action = Action(
        action_id=mark.action_id,
        kind=ActionKind.RETIRE,
        pipeline=pipeline,
        by=mark.by,
        reason=mark.reason,
        asked_at=mark.at,
        targets=tuple(targets),
    )
    return action, under_way
