"""Retire a pipeline, and take that back."""

import asyncio
from datetime import UTC, datetime

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.actions import begin
from function_app.api.handlers import Located
from function_app.api.known_pipelines import name_of
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.decisions.delivery import action_sentences as said
from shared.messages import Action, ActionKind, Actor, Retirement


async def retire_pipeline(
    name: str, body: m.RetireBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> Located[d.ActionView]:
    """Mark the pipeline, so that nothing new is admitted, then empty its targets. A repetition finds the first one."""
    action = await asyncio.to_thread(_action, name, body, actor, services)
    return await begin(action, services, client)


def reinstate_pipeline(name: str, body: m.HandBody, actor: Actor, services: Services) -> d.Reinstated:  # noqa: ARG001
    """Let it train again: the reconciler looks at its data with its next cycle."""
    pipeline, actions = name_of(name, services), services.ledger.actions
    retirement = actions.retirement(pipeline)
    if retirement is None:
        raise RefusedError(409, "not_retired", said.not_retired(pipeline))
    action_id = retirement.action_id
    if any(action.action_id == action_id for action in actions.unfinished()):
        raise RefusedError(409, "being_retired", said.being_retired(pipeline, action_id))
    actions.reinstate(pipeline)
    services.ledger.listings.clear_decision(pipeline)
    return d.Reinstated(pipeline=pipeline, sentence=said.reinstated(retirement))


def _action(name: str, body: m.RetireBody, actor: Actor, services: Services) -> Action:
    pipeline, ledger = name_of(name, services), services.ledger
    wish = Retirement(pipeline=pipeline, by=actor, reason=body.reason, at=datetime.now(UTC))
    mark = ledger.actions.retire(wish)
    under_way = [found.request.run_id for found in ledger.runs.unfinished(pipeline)]
    if under_way and ledger.actions.action(mark.action_id) is None:
        ledger.actions.reinstate(pipeline)
        raise RefusedError(409, "runs_under_way", said.runs_under_way(pipeline, under_way))
    targets = [state.target for state in ledger.targets.all() if state.pipeline == pipeline]
    return Action(
        action_id=mark.action_id,
        kind=ActionKind.RETIRE,
        pipeline=pipeline,
        by=mark.by,
        reason=mark.reason,
        asked_at=mark.at,
        targets=tuple(targets),
    )
