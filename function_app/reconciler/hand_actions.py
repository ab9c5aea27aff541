"""Roll-backs and retirements whose orchestration is gone: started again, or ended with the reason."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.instances import look_up, start
from orchestrations.hand_actions import NAMES
from shared.decisions.delivery.action_recovery import EndAction, decide_orphaned_action
from shared.messages import ActionEnd, EndedAction, delivery_of

if TYPE_CHECKING:
    from shared.messages import Action


async def recover_actions(context: CycleContext) -> None:
    """Look at every action without an end; each can be repeated, since it brings targets to plans.

    Notes on the way which pipelines are retired: nothing is requested for them in this cycle.
    """
    found: list[Action] = []
    with context.guard("list the roll-backs and retirements"):
        found, retired = await asyncio.to_thread(context.services.ledger.actions.standing)
        context.retired = frozenset(retired)
    for action in found:
        with context.guard(f"resume action {action.action_id}"):
            await _recover(context, action)


async def _recover(context: CycleContext, action: Action) -> None:
    ledger = context.services.ledger
    step = decide_orphaned_action(action, await look_up(context.client, action.action_id), now=context.now)
    if step is None:
        return
    end = await asyncio.to_thread(ledger.actions.ended, action.action_id)
    if end is not None:
        await asyncio.to_thread(ledger.actions.end, end)  # its row among the open ones was left
    elif isinstance(step, EndAction):
        ended = ActionEnd(action_id=action.action_id, done=False, sentence=step.sentence, ended_at=context.now)
        await asyncio.to_thread(ledger.actions.end, ended)
        await asyncio.to_thread(ledger.computes.give_back, delivery_of(action.pipeline), action.action_id, context.now)
        context.done["actions ended"] += 1
        if action.is_announced:
            await asyncio.to_thread(
                context.services.announcements.publish_action, EndedAction(action=action, end=ended)
            )
    else:
        # An app that died between its two rows left one of them.
        await asyncio.to_thread(ledger.actions.begin, action)
        await start(context.client, NAMES[action.kind], action.action_id, action)
        context.done["actions started"] += 1
