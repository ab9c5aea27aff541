"""One Python type for each AMQP 1.0 type that the SDKs send, so that what is decoded encodes to the same type again.

Plain ``int`` is a long, ``float`` a double, ``bytes`` a binary, ``str`` a string, ``uuid.UUID`` a uuid, ``list`` and
``dict`` a list and a map; the narrower numbers are subclasses.
"""

from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = object


class CodecError(Exception):
    """The bytes are not AMQP 1.0, or the value has no form in it."""


class Symbol(str):
    """A string from a constrained domain."""

    __slots__ = ()


class UByte(int):
    """8 bits, unsigned."""


class UShort(int):
    """16 bits, unsigned."""


class UInt(int):
    """32 bits, unsigned."""


class ULong(int):
    """64 bits, unsigned."""


class Int(int):
    """32 bits, signed."""


class Timestamp(int):
    """Milliseconds since the Unix epoch, UTC."""


@dataclass(frozen=True, slots=True)
class Array:
    """Elements of one primitive type."""

    kind: type
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """A value with a descriptor that says what it means."""

    descriptor: Value
    value: Value
