"""Message intake: validate a training request from Service Bus, claim and start it; or reject and quarantine it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from function_app.durable_client import start_once
from function_app.problems import RefusedError
from orchestrations.request_run import NAME as REQUEST_RUN
from shared.clients.service_bus import RejectedMessage
from shared.decisions.admission.repeats import effective_parameters
from shared.errors import EdgetrainError, PermanentError
from shared.wire_contracts.training_answers import done, rejection
from shared.wire_contracts.training_requests import (
    Envelope,
    UpstreamRequest,
    Wish,
    admission_request,
    identity_of,
    key_of,
    reply_of,
    request_from,
)

if TYPE_CHECKING:
    from shared.clients.ledger.requests import RequestClaim
    from shared.pipelines import Pipelines

log = logging.getLogger(__name__)

SOURCE = "bus"
CLAIMANT_SECONDS = 5.0  # grace period after which the owner of a claim that was not started counts as dead
_POLL_SECONDS = 0.2


def envelope_of(message: func.ServiceBusMessage) -> Envelope:
    """The message as plain values; missing fields are empty."""
    return Envelope(
        body=message.get_body(),
        message_id=message.message_id or "",
        correlation_id=message.correlation_id or "",
        reply_to=message.reply_to or "",
        sequence_number=message.sequence_number or 0,
        enqueued_at=message.enqueued_time_utc,
    )


async def receive(received: func.ServiceBusMessage, services: Services, client: df.DurableOrchestrationClient) -> None:
    """Handle a message from the host's trigger. An exception makes the broker deliver it again."""
    message = envelope_of(received)
    try:
        await start_or_reject(message, services, client, datetime.now(UTC))
    except EdgetrainError as error:
        log.error("message %r could not be taken, and the broker delivers it again: %s", identity_of(message), error)
        raise


async def start_or_reject(
    message: Envelope, services: Services, client: df.DurableOrchestrationClient, received_at: datetime
) -> None:
    """Start the request, or reject the message. Only an invalid message is rejected; every other error is raised."""
    pipelines = await asyncio.to_thread(lambda: services.pipelines)
    asked: UpstreamRequest | None = None
    try:
        asked = request_from(message)
        _check(asked, pipelines)
    except PermanentError as error:
        await asyncio.to_thread(_reject, services, message, error.reason, asked)
        return
    claim = await asyncio.to_thread(_claim, services, message, asked, received_at)
    if claim.body_digest != asked.digest:
        reason = f"MessageId {identity_of(message)!r} was used before, for another request; use a new one per request"
        await asyncio.to_thread(_reject, services, message, reason, asked)
    elif claim.started:
        return
    elif asked.action is Wish.TRAIN:
        await _start(services, message, asked, claim, client)
    else:
        await _act(services, message, asked, client)


def _check(asked: UpstreamRequest, pipelines: Pipelines) -> None:
    """Refuse at once a request that can never be admitted; raises :class:`PermanentError`."""
    if asked.action is not Wish.TRAIN:
        return  # a run may be older than its pipeline's file
    pipeline = pipelines.get(asked.pipeline)
    effective_parameters(pipeline.train.parameters, asked.parameters)


def _claim(services: Services, message: Envelope, asked: UpstreamRequest, received_at: datetime) -> RequestClaim:
    key = key_of(message)
    return services.ledger.requests.claim(
        SOURCE, key, body_digest=asked.digest, instance_id=f"{SOURCE}-{key}", at=received_at
    )


async def _start(
    services: Services,
    message: Envelope,
    asked: UpstreamRequest,
    claim: RequestClaim,
    client: df.DurableOrchestrationClient,
) -> None:
    """Start the request, also when an earlier owner of its claim died before the start."""
    if not claim.new:
        await _give_way(client, claim)
    request = admission_request(asked, claim.instance_id, claim.claimed_at)
    if await start_once(client, REQUEST_RUN, claim.instance_id, request):
        log.info("message %r asks for a run of pipeline %s", asked.reply.message_id, asked.pipeline)
    await asyncio.to_thread(services.ledger.requests.started, SOURCE, key_of(message))


async def _give_way(client: df.DurableOrchestrationClient, claim: RequestClaim) -> None:
    """Another delivery owns the claim, perhaps since a moment ago: leave it the start while it is alive."""
    age = (datetime.now(UTC) - claim.claimed_at).total_seconds()
    findings = int(max(0.0, min(CLAIMANT_SECONDS - age, CLAIMANT_SECONDS)) / _POLL_SECONDS)
    for _ in range(findings):
        if (await client.get_status(claim.instance_id)).runtime_status is not None:
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _act(
    services: Services, message: Envelope, asked: UpstreamRequest, client: df.DurableOrchestrationClient
) -> None:
    """Approve, reject or cancel a run, and answer; safe to repeat. What is refused is answered and quarantined."""
    from function_app.intake.run_wishes import fulfil

    try:
        sentence = await fulfil(asked, services, client)
    except RefusedError as error:
        await asyncio.to_thread(_reject, services, message, error.reason, asked)
    else:
        answer = done(asked.reply, asked.pipeline, asked.run_id, sentence)
        await asyncio.to_thread(services.results.send, answer)
        log.info("message %r: run %s, %s", asked.reply.message_id, asked.run_id, asked.action.value)
    await asyncio.to_thread(services.ledger.requests.started, SOURCE, key_of(message))


def _reject(services: Services, message: Envelope, reason: str, asked: UpstreamRequest | None) -> None:
    """Answer first, then quarantine: the sender gets an answer even if the quarantine queue refuses the message."""
    reply = reply_of(message)
    log.warning("message %r is rejected: %s", reply.message_id, reason)
    services.results.send(rejection(reply, asked.pipeline if asked else "", reason))
    services.results.quarantine(RejectedMessage(body=message.body, reason=reason, reply=reply))
