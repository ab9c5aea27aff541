"""Roll-backs and retirements: how they are begun, and how they go."""

import asyncio

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api.handlers import Located
from function_app.composition import Services
from function_app.durable_client import start_once, status_of
from function_app.problems import RefusedError
from orchestrations.hand_actions import NAMES
from shared.decisions.delivery.action_sentences import begun
from shared.decisions.explanations.actors import actor_text
from shared.messages import Action, ActionEnd


async def get_action(action_id: str, services: Services, client: df.DurableOrchestrationClient) -> d.ActionView:
    """The action of that id; what it is doing comes from its orchestration."""
    action = await asyncio.to_thread(services.ledger.actions.action, action_id)
    if action is None:
        raise RefusedError(404, "unknown_action", f"there is no action {action_id!r}")
    end = await asyncio.to_thread(services.ledger.actions.ended, action_id)
    status = await status_of(client, action_id) if end is None else None
    return view_of(action, end, doing=_doing(status))


async def begin(action: Action, services: Services, client: df.DurableOrchestrationClient) -> Located[d.ActionView]:
    """Record the action, then start it; the reconciler starts what was recorded and not started."""
    kept = await asyncio.to_thread(services.ledger.actions.begin, action)
    end = await asyncio.to_thread(services.ledger.actions.ended, kept.action_id)
    started = end is None and await start_once(client, NAMES[kept.kind], kept.action_id, kept)
    return Located(view=view_of(kept, end), location=f"/api/actions/{kept.action_id}", begun=started)


def view_of(action: Action, end: ActionEnd | None, *, doing: str = "") -> d.ActionView:
    """An action as the API shows it."""
    state = d.ActionState.RUNNING if end is None else d.ActionState.DONE if end.done else d.ActionState.FAILED
    now = f"{begun(action)}; {doing}" if doing else begun(action)
    return d.ActionView(
        action_id=action.action_id,
        kind=action.kind,
        pipeline=action.pipeline,
        target=action.target or None,
        to=action.to or None,
        state=state,
        sentence=end.sentence if end else now,
        by=actor_text(action.by),
        reason=action.reason,
        asked_at=action.asked_at,
        ended_at=end.ended_at if end else None,
        left=end.left if end else (),
    )


def _doing(status: object) -> str:
    said = getattr(status, "custom_status", None)
    progress = said.get("progress") if isinstance(said, dict) else None
    doing = progress.get("doing") if isinstance(progress, dict) else None
    return doing if isinstance(doing, str) else ""
