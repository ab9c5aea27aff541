"""Send outcomes that could not be sent when the run ended, because the broker did not answer."""

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
MOST_IN_VAIN = 3  # failed sends, after which the rest is left to the next cycle: each waits for the broker


async def send_due_outcomes(context: CycleContext) -> None:
    """Send the due outcomes; stops when the broker does not answer."""
    record_of = cache(context.services.ledger.runs.run)
    unanswered: list[tuple[str, ReplyTo]] = []
    with context.guard("list the requests that wait for an outcome"):
        unanswered = await asyncio.to_thread(context.services.ledger.outcome_subscriptions.unanswered)
    in_vain = 0  # failed tries in a row
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
    """Rotate the order each cycle, so that a few answers that always fail do not block the others."""
    first = int(now.timestamp() // CYCLE_SECONDS) % max(1, len(unanswered))
    return unanswered[first:] + unanswered[:first]


def _answer(services: Services, reply: ReplyTo, record: RunRecord) -> None:
    services.results.outcome(reply, record)
    services.ledger.outcome_subscriptions.answered(record.run_id, reply)
