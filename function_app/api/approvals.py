"""Approve or reject the roll-out of a run's model."""

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.runs import decision_views
from function_app.composition import Services
from function_app.run_hands import Decisions, decide
from shared.decisions.explanations.actors import actor_text
from shared.messages import Actor, Approval


async def approve_run(
    run_id: str, body: m.ApproveBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> d.Decided:
    """Let the model be rolled out."""
    wish = Approval(run_id=run_id, target=body.target or "", approved=True, by=actor_text(actor), reason=body.reason)
    return _view(await decide(wish, services, client))


async def reject_run(
    run_id: str, body: m.RejectBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> d.Decided:
    """Keep the model from its targets."""
    wish = Approval(run_id=run_id, target=body.target or "", approved=False, by=actor_text(actor), reason=body.reason)
    return _view(await decide(wish, services, client))


def _view(decisions: Decisions) -> d.Decided:
    return d.Decided(run_id=decisions.run_id, decisions=decision_views(decisions.held), sentence=decisions.sentence)
