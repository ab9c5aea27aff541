"""AMQP frames and the performatives in them (OASIS AMQP 1.0, parts 2 and 5).

Performatives are written at full length, trailing nulls included: some SDKs index their fields by position.
"""

import struct
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self

from local_stack.service_bus.amqp_types import (
    CodecError,
    Described,
    Symbol,
    UByte,
    UInt,
    ULong,
    UShort,
)
from local_stack.service_bus.codec import Reader, encode

AMQP_HEADER: Final = b"AMQP\x00\x01\x00\x00"
SASL_HEADER: Final = b"AMQP\x03\x01\x00\x00"
AMQP_FRAME: Final = 0
SASL_FRAME: Final = 1
HEADER_SIZE: Final = 8
MAX_FRAME: Final = 1 << 20
SEQUENCE: Final = 1 << 32
"""Delivery ids, counts and windows are serial numbers that wrap around here."""

ACCEPTED: Final = 0x24
REJECTED: Final = 0x25
RELEASED: Final = 0x26
MODIFIED: Final = 0x27
SOURCE: Final = 0x28
TARGET: Final = 0x29
_ERROR: Final = 0x1D
_TERMINUS_FIELDS: Final = {SOURCE: 11, TARGET: 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Performative:
    """Fields in wire order, each with the type it has on the wire (``object``: as it is)."""

    CODE: ClassVar[int]
    KINDS: ClassVar[tuple[type, ...]]

    def encode(self) -> bytes:
        """Its bytes, at full length."""
        values = [
            value if value is None or kind is object else kind(value)
            for kind, value in zip(self.KINDS, (getattr(self, item.name) for item in fields(self)), strict=True)
        ]
        return encode(Described(ULong(self.CODE), values))

    @classmethod
    def from_fields(cls, values: list[object]) -> Self:
        """Build it from a decoded list, which may be shorter. Raises :class:`CodecError`."""
        if len(values) > len(cls.KINDS):
            raise CodecError(f"{cls.__name__} has too many fields")
        given: dict[str, Any] = {}
        for item, kind, value in zip(fields(cls), cls.KINDS, values, strict=False):
            if value is None:
                continue
            if not isinstance(value, kind):
                raise CodecError(f"{item.name} of {cls.__name__} has the wrong type")
            given[item.name] = value
        try:
            return cls(**given)
        except TypeError as error:
            raise CodecError(f"{cls.__name__} lacks a mandatory field") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Performative):
    """Starts a connection."""

    CODE = 0x10
    KINDS = (str, str, UInt, UShort, UInt, object, object, object, object, dict)
    container_id: str
    hostname: str | None = None
    max_frame_size: int = SEQUENCE - 1
    channel_max: int = 0xFFFF
    idle_time_out: int | None = None
    outgoing_locales: object = None
    incoming_locales: object = None
    offered_capabilities: object = None
    desired_capabilities: object = None
    properties: dict[object, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin(Performative):
    """Starts a session."""

    CODE = 0x11
    KINDS = (UShort, UInt, UInt, UInt, UInt, object, object, dict)
    remote_channel: int | None = None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int = SEQUENCE - 1
    offered_capabilities: object = None
    desired_capabilities: object = None
    properties: dict[object, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach(Performative):
    """Attaches a link to a session."""

    CODE = 0x12
    KINDS = (str, UInt, bool, UByte, UByte, object, object, dict, bool, UInt, ULong, object, object, dict)
    name: str
    handle: int
    role: bool
    """``True``: whoever sends this receives on the link."""
    snd_settle_mode: int = 2
    rcv_settle_mode: int = 0
    source: object = None
    target: object = None
    unsettled: dict[object, object] | None = None
    incomplete_unsettled: bool = False
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: object = None
    desired_capabilities: object = None
    properties: dict[object, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow(Performative):
    """Tells windows and credit."""

    CODE = 0x13
    KINDS = (UInt, UInt, UInt, UInt, UInt, UInt, UInt, UInt, bool, bool, dict)
    next_incoming_id: int | None = None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool = False
    echo: bool = False
    properties: dict[object, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Performative):
    """Carries a message, or a part of one."""

    CODE = 0x14
    KINDS = (UInt, UInt, bytes, UInt, bool, bool, UByte, object, bool, bool, bool)
    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool = False
    rcv_settle_mode: int | None = None
    state: object = None
    resume: bool = False
    aborted: bool = False
    batchable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition(Performative):
    """Tells what became of deliveries."""

    CODE = 0x15
    KINDS = (bool, UInt, UInt, bool, object, bool)
    role: bool
    first: int
    last: int | None = None
    settled: bool = False
    state: object = None
    batchable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detach(Performative):
    """Ends a link."""

    CODE = 0x16
    KINDS = (UInt, bool, object)
    handle: int
    closed: bool = False
    error: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Performative):
    """Ends a session."""

    CODE = 0x17
    KINDS = (object,)
    error: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Performative):
    """Ends a connection."""

    CODE = 0x18
    KINDS = (object,)
    error: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaslMechanisms(Performative):
    """What the server accepts."""

    CODE = 0x40
    KINDS = (object,)
    mechanisms: object


@dataclass(frozen=True, slots=True, kw_only=True)
class SaslInit(Performative):
    """What the client chose."""

    CODE = 0x41
    KINDS = (Symbol, bytes, str)
    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaslOutcome(Performative):
    """Whether it may go on; code 0 is yes."""

    CODE = 0x44
    KINDS = (UByte, bytes)
    code: int
    additional_data: bytes | None = None


_PERFORMATIVES: Final[dict[int, type[Performative]]] = {
    kind.CODE: kind
    for kind in (
        *(Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close),
        *(SaslMechanisms, SaslInit, SaslOutcome),
    )
}


def encode_frame(channel: int, performative: Performative, payload: bytes = b"", *, kind: int = AMQP_FRAME) -> bytes:
    """A whole frame."""
    body = performative.encode() + payload
    return struct.pack(">IBBH", HEADER_SIZE + len(body), 2, kind, channel) + body


def frame_size(header: bytes) -> int:
    """The size of the frame that starts with these 8 bytes. Raises :class:`CodecError` when it cannot be one."""
    size, offset = struct.unpack(">IB", header[:5])
    if not (HEADER_SIZE <= offset * 4 <= size <= MAX_FRAME):
        raise CodecError("the frame's size is out of bounds")
    return int(size)


def decode_frame(frame: bytes) -> tuple[int, Performative | None, bytes]:
    """Channel, performative (``None``: an empty frame, sent to keep alive) and payload. Raises :class:`CodecError`."""
    offset, _, channel = struct.unpack(">BBH", frame[4:HEADER_SIZE])
    body = frame[offset * 4 :]
    if not body:
        return channel, None, b""
    reader = Reader(body)
    described = reader.value()
    if not isinstance(described, Described) or not isinstance(described.value, list):
        raise CodecError("a frame starts with no performative")
    kind = _PERFORMATIVES.get(described.descriptor) if isinstance(described.descriptor, ULong) else None
    if kind is None:
        raise CodecError("a performative is unknown")
    return channel, kind.from_fields(described.value), reader.rest()


def outcome(code: int, *values: object) -> Described:
    """A delivery state."""
    return Described(ULong(code), list(values))


def error(condition: str, description: str, info: dict[object, object] | None = None) -> Described:
    """An error with all three elements: with fewer the SDK's own handling of it fails."""
    return Described(ULong(_ERROR), [Symbol(condition), description, info or {}])


def composite(value: object, code: int) -> list[object] | None:
    """The fields of a described list with this code; ``None`` when the value is something else."""
    if isinstance(value, Described) and value.descriptor == code and isinstance(value.value, list):
        return value.value
    return None


def address_of(terminus: object, code: int) -> str:
    """The address of a source or target; empty when there is none."""
    values = composite(terminus, code)
    return values[0] if values and isinstance(values[0], str) else ""


def padded(terminus: object, code: int) -> object:
    """The same source or target at full length."""
    values = composite(terminus, code) or []
    missing = _TERMINUS_FIELDS[code] - len(values)
    return Described(ULong(code), values + [None] * missing)
