"""AMQP messages: their sections, what the core wants to know of them, and what the broker adds on delivery.

The bare message is kept byte for byte; only the header and the message annotations are written anew, and the
application properties when dead-lettering adds to them.
"""

import uuid
from dataclasses import dataclass, field
from typing import Final

from local_stack.service_bus.amqp_types import (
    CodecError,
    Described,
    Int,
    Symbol,
    Timestamp,
    UInt,
    ULong,
    Value,
)
from local_stack.service_bus.codec import Reader, encode
from local_stack.service_bus.records import Draft, Message

BATCH_FORMAT: Final = 0x80013700
"""Message format of a transfer whose data sections are messages of their own."""

_HEADER: Final = 0x70
_ANNOTATIONS: Final = 0x72
_PROPERTIES: Final = 0x73
_APPLICATION: Final = 0x74
_DATA: Final = 0x75
_VALUE: Final = 0x77
_FOOTER: Final = 0x78
_SCHEDULED: Final = "x-opt-scheduled-enqueue-time"
_TTL: Final = 2  # position in the header
# Positions in the properties section.
_MESSAGE_ID, _CORRELATION_ID, _PROPERTIES_COUNT = 0, 5, 13


@dataclass(slots=True)
class Sections:
    """A message taken apart. ``plain`` holds the bytes of the sections that are passed on as they came."""

    header: list[Value] = field(default_factory=list)
    annotations: dict[Value, Value] = field(default_factory=dict)
    properties: list[Value] = field(default_factory=list)
    application: dict[Value, Value] = field(default_factory=dict)
    data: list[bytes] = field(default_factory=list)
    value: Value = None
    plain: dict[int, bytes] = field(default_factory=dict)

    def property_at(self, position: int) -> Value:
        """One of the properties, ``None`` when it is not set."""
        return self.properties[position] if position < len(self.properties) else None

    @property
    def message_id(self) -> Value:
        """The sender's id for the message, of any of four types."""
        return self.property_at(_MESSAGE_ID)


def parse(payload: bytes) -> Sections:
    """Take a message apart. Raises :class:`CodecError`."""
    sections, reader, latest = Sections(), Reader(payload), 0
    while not reader.at_end:
        start = reader.position
        section = reader.value()
        if not isinstance(section, Described) or not isinstance(section.descriptor, ULong):
            raise CodecError("a message holds something that is no section")
        code = int(section.descriptor)
        if not (max(latest, _HEADER) <= code <= _FOOTER):
            raise CodecError("a message's sections are unknown or out of order")
        latest = code
        _keep(sections, code, section.value)
        if code >= _PROPERTIES:
            body = sections.plain.get(min(code, _DATA), b"")
            sections.plain[min(code, _DATA)] = body + payload[start : reader.position]
    return sections


def _keep(sections: Sections, code: int, value: Value) -> None:
    match code, value:
        case (0x70, list()):
            sections.header = value
        case (0x72, dict()):
            sections.annotations = value
        case (0x73, list()):
            sections.properties = value
        case (0x74, dict()):
            sections.application = value
        case (0x75, bytes()):
            sections.data.append(value)
        case (0x77, _):
            sections.value = value
        case (0x71 | 0x78, dict()) | (0x76, list()):
            pass
        case _:
            raise CodecError("a section of a message has the wrong type")


def drafts_of(payload: bytes, message_format: int) -> list[Draft]:
    """The messages in one transfer. Raises :class:`CodecError`."""
    sections = parse(payload)
    if message_format != BATCH_FORMAT:
        return [_draft(payload, sections)]
    return [_draft(one, parse(one)) for one in sections.data]


def _draft(payload: bytes, sections: Sections) -> Draft:
    if sections.annotations.get(_SCHEDULED) is not None:
        raise CodecError("scheduled messages are not served here")
    if len(sections.header) > _TTL and sections.header[_TTL] is not None:
        raise CodecError("a time to live is not served here")
    message_id = sections.message_id
    return Draft(content=payload, message_id=None if message_id is None else str(message_id))


def on_delivery(message: Message) -> bytes:
    """What a receiver gets: the message with the broker's header, annotations and dead-letter properties."""
    sections = parse(message.content)
    header = [*sections.header[:4], *[None] * (4 - len(sections.header)), UInt(message.delivery_count)]
    annotations = sections.annotations | {
        Symbol("x-opt-sequence-number"): message.sequence,
        Symbol("x-opt-enqueue-sequence-number"): message.source_sequence,
        Symbol("x-opt-enqueued-time"): _moment(message.enqueued_at),
        Symbol("x-opt-message-state"): Int(0),
    }
    if message.lock is not None:
        annotations[Symbol("x-opt-locked-until")] = _moment(message.lock.until)
    plain = sections.plain
    if message.dead_letter is not None:
        annotations[Symbol("x-opt-deadletter-source")] = message.dead_letter.source
        added: dict[Value, Value] = {
            "DeadLetterReason": message.dead_letter.reason,
            "DeadLetterErrorDescription": message.dead_letter.description,
        }
        plain = plain | {_APPLICATION: _section(_APPLICATION, sections.application | added)}
    bare = (plain.get(code, b"") for code in (_PROPERTIES, _APPLICATION, _DATA))
    return b"".join((_section(_HEADER, header), _section(_ANNOTATIONS, annotations), *bare))


def _section(code: int, value: Value) -> bytes:
    return encode(Described(ULong(code), value))


def _moment(seconds: float) -> Timestamp:
    return Timestamp(round(seconds * 1000))


def reply_to(request: Sections, application: dict[Value, Value], value: Value) -> bytes:
    """The answer to a request; its correlation id is the request's message id, of the same type."""
    properties: list[Value] = [None] * _PROPERTIES_COUNT
    properties[_CORRELATION_ID] = request.message_id
    parts = [_section(_PROPERTIES, properties), _section(_APPLICATION, application), _section(_VALUE, value)]
    return b"".join(parts)


def tag_of(token: uuid.UUID) -> bytes:
    """The delivery tag for a lock: the SDKs read the token out of it in the byte order of .NET."""
    return token.bytes_le
