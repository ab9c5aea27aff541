"""What a message may ask about a run: approve, reject or cancel it, as the HTTP operations do."""

import asyncio

import azure.durable_functions as df

from function_app.composition import Services
from function_app.problems import RefusedError
from function_app.run_hands import cancel, decide
from shared.decisions.explanations.actors import actor_text
from shared.messages import Actor, ActorKind, Approval
from shared.values.texts import shortened
from shared.wire_contracts.training_requests import UpstreamRequest, Wish


async def fulfil(asked: UpstreamRequest, services: Services, client: df.DurableOrchestrationClient) -> str:
    """Do it; returns the sentence for the answer. Raises :class:`RefusedError`.

    Whoever may send to the queue may ask, so the record names the message, and says that it is no person.
    """
    record = await asyncio.to_thread(services.ledger.runs.run, asked.run_id)
    if record is None or record.pipeline != asked.pipeline:
        raise RefusedError(404, "unknown_run", f"pipeline {asked.pipeline} has no run {asked.run_id}", field="run_id")
    actor = Actor(
        kind=ActorKind.MESSAGE, name=shortened(asked.reply.message_id, 100), said=shortened(asked.reply.reply_to, 100)
    )
    if asked.action is Wish.CANCEL:
        return await cancel(asked.run_id, actor, asked.note, services, client)
    wish = Approval(
        run_id=asked.run_id,
        target=asked.target,
        approved=asked.action is Wish.APPROVE,
        by=actor_text(actor),
        reason=asked.note,
    )
    return (await decide(wish, services, client)).sentence
