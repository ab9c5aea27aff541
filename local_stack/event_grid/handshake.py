"""Endpoint validation: asks an endpoint for consent before the first event is delivered.

Source of the rules: the service's pages on endpoint validation, and the CloudEvents webhook specification.
"""

import hmac
import uuid
from typing import Final

import aiohttp

from local_stack.event_grid import events
from local_stack.event_grid.models import Schema, Subscription

ORIGIN: Final = "eventgrid.azure.net"
VALIDATION_EVENT: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
_WITHIN: Final = aiohttp.ClientTimeout(total=30)


class NotAgreedError(Exception):
    """The endpoint does not want the events, or cannot say so; the text is the reason, without its address."""


async def ask(session: aiohttp.ClientSession, subscription: Subscription, source: str) -> None:
    """Ask the endpoint in the form of the subscription's schema. Raises :class:`NotAgreedError`."""
    try:
        if subscription.event_delivery_schema is Schema.EVENT_GRID:
            await _by_event(session, subscription, source)
        else:
            await _by_options(session, subscription)
    except TimeoutError:
        raise NotAgreedError("no answer within 30 s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise NotAgreedError(f"it cannot be reached ({type(error).__name__})") from None


async def _by_event(session: aiohttp.ClientSession, subscription: Subscription, source: str) -> None:
    """One event with a code, which a 200 must send back."""
    number, code = str(uuid.uuid4()), str(uuid.uuid4())
    body = {
        "id": number,
        "topic": source,
        "subject": "",
        "data": {"validationCode": code},
        "eventType": VALIDATION_EVENT,
        "eventTime": events.now(),
        "metadataVersion": "1",
        "dataVersion": "2",
    }
    headers = events.delivery_headers(
        body,
        Schema.EVENT_GRID,
        subscription=subscription.name,
        kind="SubscriptionValidation",
        failed_attempts=0,
        output_id=number,
    )
    async with session.post(
        subscription.endpoint,
        data=events.delivery_content(body, Schema.EVENT_GRID),
        headers=headers,
        timeout=_WITHIN,
        allow_redirects=False,
    ) as answer:
        _check_status(answer.status)
        given = events.json_object(await answer.read()).get("validationResponse")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), code.encode()):
        raise NotAgreedError("its answer does not hold the code as validationResponse")


async def _by_options(session: aiohttp.ClientSession, subscription: Subscription) -> None:
    """An OPTIONS request, whose answer must allow the origin: the status alone is no consent."""
    async with session.options(
        subscription.endpoint, headers={"WebHook-Request-Origin": ORIGIN}, timeout=_WITHIN, allow_redirects=False
    ) as answer:
        _check_status(answer.status)
        allowed = answer.headers.get("WebHook-Allowed-Origin", "")
    if allowed.strip().lower() not in ("*", ORIGIN):
        raise NotAgreedError(f"its answer does not allow {ORIGIN} in WebHook-Allowed-Origin")


def _check_status(status: int) -> None:
    if status != 200:
        raise NotAgreedError(f"it answered {status}, only 200 agrees")
