"""Outcomes that could not be sent to those who asked by message, because the broker was away when the run ended."""

import asyncio
import logging
from datetime import datetime
from functools import cache

from function_app.composition import Services
from function_app.reconciler.cycle_context import CycleContext
from shared.decisions.reconciliation.orphans import ANSWER_FOR, is_given_up, outcome_is_due
from shared.messages import ReplyTo, RunRecord

log = logging.getLogger(__name__)

CYCLE_SECONDS = 120
MOST_IN_VAIN = 3  # then the broker is away for everyone, and each try waits for it; the rest is for the next cycle


async def send_due_outcomes(context: CycleContext) -> None:
    """Send what is due, unless the broker is away."""
    record_of = cache(context.services.ledger.runs.run)
    unanswered: list[tuple[str, ReplyTo]] = []
    with context.guard("list the requests that wait for an outcome"):
        unanswered = await asyncio.to_thread(context.services.ledger.outcome_subscriptions.unanswered)
    in_vain = 0  # tries in a row
    for run_id, reply in _in_turn(unanswered, context.now):
        if in_vain == MOST_IN_VAIN:
            return
        failed = context.failed
        with context.guard(f"answer message {reply.message_id} about run {run_id}"):
            record = await asyncio.to_thread(record_of, run_id)
            if record is not None and is_given_up(record, context.now):
                await asyncio.to_thread(context.services.ledger.outcome_subscriptions.answered, run_id, reply)
                context.done["answers given up"] += 1
                log.error(
                    "the outcome of run %s could not be sent to the sender of message %s for %s days; it is given up",
                    run_id,
                    reply.message_id,
                    ANSWER_FOR.days,
                )
            elif record is not None and outcome_is_due(record, context.now):
                await asyncio.to_thread(_answer, context.services, reply, record)
                context.done["requests answered"] += 1
        in_vain = in_vain + 1 if context.failed > failed else 0


def _in_turn(unanswered: list[tuple[str, ReplyTo]], now: datetime) -> list[tuple[str, ReplyTo]]:
    """Another one first in each cycle, so that a few that cannot be answered do not keep the others waiting."""
    first = int(now.timestamp() // CYCLE_SECONDS) % max(1, len(unanswered))
    return unanswered[first:] + unanswered[:first]


def _answer(services: Services, reply: ReplyTo, record: RunRecord) -> None:
    services.results.outcome(reply, record)
    services.ledger.outcome_subscriptions.answered(record.run_id, reply)
