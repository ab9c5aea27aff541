"""AMQP 1.0 types to bytes and back (OASIS AMQP 1.0, part 1).

A ``correlation-id`` must go back as the type it came as, so types are kept exactly (see ``amqp_types``). Arrays hold
primitive, not zero-width elements, which is all this dialect uses.
"""

import struct
import uuid
from collections.abc import Callable
from typing import Final

from local_stack.service_bus.amqp_types import (
    Array,
    CodecError,
    Described,
    Int,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)

_DEEPEST: Final = 32  # nested lists and maps; the SDKs stay below 6
_SMALL: Final = 256  # sizes, counts and values below this have a one-byte form


# The full-width code of each type of fixed width, and its struct format.
_NUMBERS: Final[dict[type, tuple[int, struct.Struct]]] = {
    UByte: (0x50, struct.Struct(">B")),
    UShort: (0x60, struct.Struct(">H")),
    UInt: (0x70, struct.Struct(">I")),
    Int: (0x71, struct.Struct(">i")),
    ULong: (0x80, struct.Struct(">Q")),
    int: (0x81, struct.Struct(">q")),
    float: (0x82, struct.Struct(">d")),
    Timestamp: (0x83, struct.Struct(">q")),
}
# One-byte forms: code and format.
_COMPACT: Final[dict[type, tuple[int, struct.Struct]]] = {
    UInt: (0x52, struct.Struct(">B")),
    ULong: (0x53, struct.Struct(">B")),
    Int: (0x54, struct.Struct(">b")),
    int: (0x55, struct.Struct(">b")),
}
# Codes of the forms with an 8-bit and a 32-bit size.
_BINARY: Final = (0xA0, 0xB0)
_STRING: Final = (0xA1, 0xB1)
_SYMBOL: Final = (0xA3, 0xB3)
_LIST: Final = (0xC0, 0xD0)
_MAP: Final = (0xC1, 0xD1)
_ARRAY: Final = (0xE0, 0xF0)
_DESCRIBED: Final = 0x00
_CONSTANTS: Final[dict[int, Value]] = {0x40: None, 0x41: True, 0x42: False, 0x43: UInt(0), 0x44: ULong(0)}
_EMPTY_LIST: Final = 0x45


def encode(value: Value) -> bytes:
    """The bytes of a value. Raises :class:`CodecError` when AMQP has no form for it."""
    try:
        return _encode(value)
    except (struct.error, UnicodeEncodeError, RecursionError) as error:
        raise CodecError(f"{type(value).__name__} cannot be encoded: {error}") from error


def decode(data: bytes) -> Value:
    """The one value in ``data``. Raises :class:`CodecError`."""
    reader = Reader(data)
    value = reader.value()
    if not reader.at_end:
        raise CodecError("bytes are left over after the value")
    return value


def _encode(value: Value) -> bytes:
    kind = type(value)
    if kind in _NUMBERS:
        return _encode_number(kind, value)
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        raise CodecError(f"no AMQP type for {kind.__name__}")
    return encoder(value)


def _encode_number(kind: type, value: Value) -> bytes:
    if kind in _COMPACT:
        code, form = _COMPACT[kind]
        low, high = (-128, 127) if form.format == ">b" else (0, 255)
        if low <= value <= high:  # type: ignore[operator]  # every kind in the table is a number
            return bytes((code,)) + form.pack(value)
    code, form = _NUMBERS[kind]
    return bytes((code,)) + form.pack(value)


def _variable(codes: tuple[int, int], body: bytes) -> bytes:
    if len(body) < _SMALL:
        return bytes((codes[0], len(body))) + body
    return struct.pack(">BI", codes[1], len(body)) + body


def _compound(codes: tuple[int, int], count: int, body: bytes) -> bytes:
    if len(body) + 1 < _SMALL and count < _SMALL:
        return bytes((codes[0], len(body) + 1, count)) + body
    return struct.pack(">BII", codes[1], len(body) + 4, count) + body


def _encode_list(items: list[Value]) -> bytes:
    return _compound(_LIST, len(items), b"".join(map(_encode, items))) if items else bytes((_EMPTY_LIST,))


def _encode_map(items: dict[Value, Value]) -> bytes:
    return _compound(_MAP, 2 * len(items), b"".join(_encode(key) + _encode(item) for key, item in items.items()))


def _encode_array(array: Array) -> bytes:
    if array.kind not in _ELEMENTS or any(type(item) is not array.kind for item in array.items):
        raise CodecError(f"no array of {array.kind.__name__}")
    code, body = _ELEMENTS[array.kind]
    return _compound(_ARRAY, len(array.items), bytes((code,)) + b"".join(map(body, array.items)))


def _sized(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


_ENCODERS: Final[dict[type, Callable[..., bytes]]] = {
    type(None): lambda _: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    bytes: lambda value: _variable(_BINARY, value),
    str: lambda value: _variable(_STRING, value.encode()),
    Symbol: lambda value: _variable(_SYMBOL, value.encode("ascii")),
    uuid.UUID: lambda value: b"\x98" + value.bytes,
    list: _encode_list,
    dict: _encode_map,
    Array: _encode_array,
    Described: lambda value: bytes((_DESCRIBED,)) + _encode(value.descriptor) + _encode(value.value),
}
# Elements of an array share one constructor, so each takes its full-width form.
_ELEMENTS: Final[dict[type, tuple[int, Callable[..., bytes]]]] = {
    **{kind: (code, form.pack) for kind, (code, form) in _NUMBERS.items()},
    bool: (0x56, lambda value: bytes((value,))),
    uuid.UUID: (0x98, lambda value: value.bytes),
    bytes: (_BINARY[1], _sized),
    str: (_STRING[1], lambda value: _sized(value.encode())),
    Symbol: (_SYMBOL[1], lambda value: _sized(value.encode("ascii"))),
}


def _number(kind: type, form: struct.Struct) -> tuple[int, Callable[[bytes], Value]]:
    return form.size, lambda data: kind(form.unpack(data)[0])


def _boolean(data: bytes) -> bool:
    if data not in {b"\x00", b"\x01"}:
        raise CodecError("a boolean is 0 or 1")
    return data == b"\x01"


_FIXED: Final[dict[int, tuple[int, Callable[[bytes], Value]]]] = {
    **{code: _number(kind, form) for kind, (code, form) in (*_NUMBERS.items(), *_COMPACT.items())},
    0x56: (1, _boolean),
    0x98: (16, lambda data: uuid.UUID(bytes=data)),
}
_SIZED: Final[dict[int, tuple[int, Callable[[bytes], Value]]]] = {
    code: (width, make)
    for codes, make in (
        (_BINARY, bytes),
        (_STRING, lambda data: data.decode()),
        (_SYMBOL, lambda data: Symbol(data.decode("ascii"))),
    )
    for width, code in zip((1, 4), codes, strict=True)
}
_WIDTHS: Final = {code: width for codes in (_LIST, _MAP, _ARRAY) for width, code in zip((1, 4), codes, strict=True)}


class Reader:
    """Reads values one after the other; ``position`` is where the next one starts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self.position >= len(self._data)

    def value(self, depth: int = 0) -> Value:
        """The next value. Raises :class:`CodecError`."""
        if depth > _DEEPEST:
            raise CodecError("values are nested too deeply")
        code = self._take(1)[0]
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code == _EMPTY_LIST:
            return []
        if code == _DESCRIBED:
            return Described(self.value(depth + 1), self.value(depth + 1))
        if code in _WIDTHS:
            return self._several(code, depth)
        return self._primitive(code)

    def rest(self) -> bytes:
        """All bytes from here on, without moving."""
        return self._data[self.position :]

    def _take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self._data):
            raise CodecError("the bytes end inside a value")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _size(self, width: int) -> int:
        return int.from_bytes(self._take(width), "big")

    def _primitive(self, code: int) -> Value:
        if code in _FIXED:
            size, make = _FIXED[code]
        elif code in _SIZED:
            width, make = _SIZED[code]
            size = self._size(width)
        else:
            raise CodecError(f"0x{code:02x} starts no AMQP value")
        try:
            return make(self._take(size))
        except UnicodeDecodeError as error:
            raise CodecError(f"text cannot be decoded: {error.reason}") from error

    def _several(self, code: int, depth: int) -> Value:
        width = _WIDTHS[code]
        end = self._size(width) + self.position
        count = self._size(width)
        # Every element has a byte at least, so a count beyond that is a lie, told before any memory is spent on it.
        if end > len(self._data) or count > end - self.position:
            raise CodecError("a list, map or array is larger than its bytes")
        if code in _LIST:
            made: Value = [self.value(depth + 1) for _ in range(count)]
        elif code in _MAP:
            made = self._map(count, depth)
        else:
            made = self._array(count)
        if self.position != end:
            raise CodecError("a list, map or array does not fill its size")
        return made

    def _map(self, count: int, depth: int) -> dict[Value, Value]:
        if count % 2:
            raise CodecError("a map has an odd number of elements")
        made: dict[Value, Value] = {}
        for _ in range(count // 2):
            key = self.value(depth + 1)
            try:
                made[key] = self.value(depth + 1)
            except TypeError as error:
                raise CodecError("a map key must be a plain value") from error
        return made

    def _array(self, count: int) -> Array:
        code = self._take(1)[0]
        kind = _KINDS.get(code)
        if kind is None:
            raise CodecError("an array of this type is not supported")
        return Array(kind, tuple(self._primitive(code) for _ in range(count)))


_KINDS: Final = {
    **{code: kind for table in (_NUMBERS, _COMPACT) for kind, (code, _) in table.items()},
    **{code: kind for codes, kind in ((_BINARY, bytes), (_STRING, str), (_SYMBOL, Symbol)) for code in codes},
    0x56: bool,
    0x98: uuid.UUID,
}
