"""A received Service Bus message as a Service Bus trigger hands it to its function."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from azure.functions.meta import Datum
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

_TEXTS: Final = {
    "MessageId": "message_id",
    "CorrelationId": "correlation_id",
    "ContentType": "content_type",
    "Subject": "subject",
    "Label": "subject",
    "To": "to",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "PartitionKey": "partition_key",
    "LockToken": "lock_token",
    "DeadLetterSource": "dead_letter_source",
    "DeadLetterReason": "dead_letter_reason",
    "DeadLetterErrorDescription": "dead_letter_error_description",
}
_NUMBERS: Final = {"SequenceNumber": "sequence_number", "EnqueuedSequenceNumber": "enqueued_sequence_number"}
_MOMENTS: Final = {
    "EnqueuedTimeUtc": "enqueued_time_utc",
    "ExpiresAtUtc": "expires_at_utc",
    "LockedUntil": "locked_until_utc",
}


def body_of(message: ServiceBusReceivedMessage) -> Datum:
    """The body's bytes; of a value body that is no binary, its text."""
    body = message.body
    if message.body_type is AmqpMessageBodyType.DATA:
        return Datum(b"".join(body), "bytes")
    return Datum(body if isinstance(body, bytes) else str(body).encode(), "bytes")


def metadata_of(message: ServiceBusReceivedMessage) -> dict[str, Datum]:
    """The trigger metadata; what the message lacks is left out."""
    properties = {_text(key): _plain(value) for key, value in (message.application_properties or {}).items()}
    as_json = Datum(json.dumps(properties, default=str), "json")
    return {
        **{name: Datum(_text(value), "string") for name, value in _present(message, _TEXTS)},
        **{name: _number(value) for name, value in _present(message, _NUMBERS)},
        **{name: _moment(value) for name, value in _present(message, _MOMENTS) if isinstance(value, datetime)},
        "DeliveryCount": _number(delivery_of(message)),
        "ApplicationProperties": as_json,
        "UserProperties": as_json,
    }


def made_by_hand() -> dict[str, Datum]:
    """The least metadata a function can be called with, for a body that came from no queue."""
    nothing = Datum("{}", "json")
    return {
        "MessageId": Datum(uuid.uuid4().hex, "string"),
        "DeliveryCount": _number(1),
        "SequenceNumber": _number(0),
        "EnqueuedTimeUtc": _moment(datetime.now(UTC)),
        "ApplicationProperties": nothing,
        "UserProperties": nothing,
    }


def delivery_of(message: ServiceBusReceivedMessage) -> int:
    """Which delivery of the message this is, from 1: the .NET client, and so the host, counts the present one in."""
    return (message.delivery_count or 0) + 1


def _present(message: ServiceBusReceivedMessage, names: Mapping[str, str]) -> list[tuple[str, object]]:
    found = ((name, getattr(message, attribute)) for name, attribute in names.items())
    return [(name, value) for name, value in found if value is not None]


def _number(value: object) -> Datum:
    """The host sends whole numbers as JSON, not as integers: only texts, bytes and doubles have kinds of their own."""
    return Datum(json.dumps(value), "json")


def _moment(value: datetime) -> Datum:
    """As .NET writes a moment in UTC: ``Z``, and no zeros at the end of the fraction."""
    text = f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".")
    return Datum(json.dumps(f"{text}Z"), "json")


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _plain(value: object) -> object:
    # The SDK gives strings as their bytes.
    return value.decode(errors="replace") if isinstance(value, bytes) else value
