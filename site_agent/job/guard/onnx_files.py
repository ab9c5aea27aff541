"""ONNX models: a walk through the protocol buffer that knows every field, so that no byte is unaccounted for."""

import mmap
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from site_agent.job.guard.onnx_fields import DTYPES, MESSAGES, TEXT_ONLY
from site_agent.job.guard.pieces import Piece, Recognised, array, count_of, place
from site_agent.job.guard.spans import HeldBackError, Span

_MOST_TEXT: Final = 4096  # characters of documentation and metadata, in the whole model
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES: Final = {"v": _VARINT, "zero": _VARINT, "f": _FIXED32}


@dataclass(slots=True)
class _Tensor:
    """What one message gathers that belongs together: a tensor, or the lists of an attribute."""

    name: str = ""
    dims: list[int] = field(default_factory=list)
    kind: int = 0
    arrays: list[Piece] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message. ``kind``: as in :data:`MESSAGES`; ``wire``: how it is written."""

    message: str
    number: int
    kind: str
    wire: int

    @property
    def key(self) -> tuple[str, int]:
        """The message and the field's number in it."""
        return self.message, self.number


class _Walk:
    def __init__(self, span: Span, view: memoryview) -> None:
        self.span, self.view = span, view
        self.found = Recognised("onnx", "every field is known, nothing is external")
        self.scalars: list[float] = []
        self.text_only = self.nodes = 0

    def message(self, name: str, at: int, end: int, depth: int = 0) -> None:
        """Read one message; raises :class:`HeldBackError`."""
        if depth > 60:
            raise HeldBackError("its parts are nested too deeply")
        gathered = _Tensor()
        self.nodes += name == "Node"
        while at < end:
            tag, at = self.varint(at, end)
            number, wire = tag >> 3, tag & 7
            kind = MESSAGES[name].get(number, "")
            if kind in ("", "!"):
                raise HeldBackError("it has a field that a model does not need, or that is not known here")
            at = self.field(_Field(name, number, kind, wire), at, end, gathered, depth)
        self.close(name, gathered)

    def field(self, one: _Field, at: int, end: int, gathered: _Tensor, depth: int) -> int:
        """Read one field; returns where the next one begins."""
        kind = one.kind
        if kind in ("F", "D", "I"):
            return self.numbers(one, at, end, gathered)
        if one.wire != _WIRE_TYPES.get(kind, _BYTES):
            raise HeldBackError("it has a field in a form that is not its own")
        if kind == "f":
            return self.single(at, end)
        if kind in ("v", "zero"):
            return self.whole(one, at, end, gathered)
        length, at = self.varint(at, end)
        if at + length > end:
            raise HeldBackError("it is cut, or a length in it is wrong")
        if kind in ("t", "b"):
            self.text(one, at, at + length, gathered)
        elif kind == "raw":
            gathered.arrays.append(Piece("", self.span.part(at, length)))
        else:
            self.message(kind, at, at + length, depth + 1)
        return at + length

    def single(self, at: int, end: int) -> int:
        """A number of four bytes."""
        if at + 4 > end:
            raise HeldBackError("it is cut, or a length in it is wrong")
        self.scalars.append(float(np.frombuffer(self.view[at : at + 4], "<f4")[0]))
        return at + 4

    def whole(self, one: _Field, at: int, end: int, gathered: _Tensor) -> int:
        """A whole number."""
        value, at = self.varint(at, end)
        if one.kind == "zero" and value:
            raise HeldBackError("it refers to data outside of the file")
        if one.key == ("Tensor", 2):
            gathered.kind = value
        self.scalars.append(float(value))
        return at

    def text(self, one: _Field, at: int, end: int, gathered: _Tensor) -> None:
        """A text, or bytes that may be one."""
        data = bytes(self.view[at:end])
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            if one.kind == "t":
                raise HeldBackError("it has a text that is not valid UTF-8") from None
            gathered.arrays.append(Piece("bytes", data))
            return
        if one.key in TEXT_ONLY:
            self.text_only += len(text)
            if self.text_only > _MOST_TEXT:
                raise HeldBackError(f"its documentation and metadata have more than {_MOST_TEXT} characters")
        if one.key in (("Tensor", 8), ("Attribute", 1)):
            gathered.name = text
        self.found.strings.append(text)

    def numbers(self, one: _Field, at: int, end: int, gathered: _Tensor) -> int:
        """A list of numbers: packed, or a run of single fields, of which the tag of the first was read."""
        size = {"F": 4, "D": 8, "I": 0}[one.kind]
        single = {"F": _FIXED32, "D": _FIXED64, "I": _VARINT}[one.kind]
        if one.wire == _BYTES:
            length, at = self.varint(at, end)
            if at + length > end or (size and length % size):
                raise HeldBackError("it is cut, or a length in it is wrong")
            stop = at + length
            if size:
                gathered.arrays.append(Piece("", self.span.part(at, length), f"<f{size}", (length // size,)))
                return stop
            values = _varints(self.view[at:stop])
        elif one.wire == single:
            tag = one.number << 3 | one.wire
            values, stop = self.fixed_run(tag, size, at, end) if size else self.varint_run(tag, at, end)
        else:
            raise HeldBackError("it has a field in a form that is not its own")
        if one.key == ("Tensor", 1):
            gathered.dims += [int(value) for value in values]
        elif len(values):
            gathered.arrays.append(array("", values))
        return stop

    def fixed_run(self, tag: int, size: int, at: int, end: int) -> tuple[NDArray[Any], int]:
        """Numbers of a fixed size, each but the first behind its tag."""
        if at + size > end:
            raise HeldBackError("it is cut, or a length in it is wrong")
        records = np.dtype([("tag", "u1"), ("value", f"<f{size}")])
        count = (end - at - size) // (size + 1)
        following = np.frombuffer(self.view[at + size :], records, count)
        others = np.flatnonzero(following["tag"] != tag)
        count = int(others[0]) if len(others) else count
        first = np.frombuffer(self.view[at : at + size], f"<f{size}")
        return np.concatenate([first, following["value"][:count]]), at + size + count * (size + 1)

    def varint_run(self, tag: int, at: int, end: int) -> tuple[NDArray[Any], int]:
        """Whole numbers, each but the first behind its tag."""
        values: list[int] = []
        while True:
            value, at = self.varint(at, end)
            values.append(value - (1 << 64) if value >> 63 else value)
            if at >= end or self.view[at] != tag:
                return np.asarray(values, dtype="<i8"), at
            at += 1

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """A whole number of up to ten bytes."""
        value = shift = 0
        view = self.view
        while at < end and shift < 70:
            byte = view[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (1 << 64) - 1, at
            shift += 7
        raise HeldBackError("it is cut, or a number in it is too long")

    def close(self, name: str, gathered: _Tensor) -> None:
        """Give what was gathered its place, type and shape."""
        where = place(name.lower(), *gathered.name.split(".")) if gathered.name else name.lower()
        for piece in gathered.arrays:
            dtype = piece.dtype or (DTYPES.get(gathered.kind, "") if name == "Tensor" and not piece.where else "")
            shape = piece.shape or (tuple(gathered.dims) if name == "Tensor" else ())
            if name == "Tensor" and gathered.dims and _fits(gathered.dims, dtype, piece.size):
                shape = tuple(gathered.dims)
            self.found.pieces.append(Piece(where, piece.content, dtype, shape))


def _fits(dims: list[int], dtype: str, size: int) -> bool:
    return bool(dtype) and count_of(dims) * np.dtype(dtype).itemsize == size


def _varints(data: memoryview) -> NDArray[Any]:
    """Packed whole numbers, all at once."""
    values = np.frombuffer(data, np.uint8)
    if not len(values):
        return np.empty(0, "<i8")
    ends = np.flatnonzero(values < 0x80)
    if not len(ends) or ends[-1] != len(values) - 1:
        raise HeldBackError("it is cut, or a number in it is too long")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise HeldBackError("it is cut, or a number in it is too long")
    found = np.zeros(len(ends), np.uint64)
    for index in range(int(lengths.max())):
        longer = lengths > index
        found[longer] |= (values[starts[longer] + index].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * index)
    return found.view(np.int64)


def recognise_onnx(span: Span) -> Recognised:
    """Walk a whole model; raises :class:`HeldBackError` when it is none, or holds more than a model."""
    if span.owner is not None or span.start:
        raise HeldBackError("a model within another file is not read here")
    # Mapped, not read: weights are skipped here. The map goes with the last view of it.
    walk = _Walk(span, memoryview(mmap.mmap(span.descriptor, span.length, access=mmap.ACCESS_READ)))
    walk.message("Model", 0, span.length)
    if not walk.nodes:
        raise HeldBackError("it holds no model")
    if walk.scalars:
        walk.found.pieces.append(array("numbers", np.asarray(walk.scalars, "<f8")))
    return walk.found
