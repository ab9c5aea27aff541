"""What a recognised file consists of, as far as training rows could be in it: arrays, texts, numbers and names."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from site_agent.job.guard.spans import CHUNK, HeldBackError, Span

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z_]*[0-9]{0,3}_?")
LONGEST_PLACE: Final = 160
LONGEST_NUMBER: Final = 128  # bits; the state of a random generator has as many
_MOST_DIMENSIONS: Final = 64  # numpy has no more
_MOST_MEMORY: Final = 1 << 30  # bytes that the values of a document may take
_OF_A_LIST, _OF_A_TEXT, _OF_A_NUMBER = 64, 60, 32  # bytes that Python needs for each, with its place in a list


@dataclass(frozen=True, slots=True)
class Piece:
    """One array, or a run of bytes or text. ``where``: its place, in words that hold no data.

    ``dtype``: numpy's name of an array's values, ``""`` for bytes and text; ``content``: where the bytes are.
    """

    where: str
    content: Span | bytes
    dtype: str = ""
    shape: tuple[int, ...] = ()
    fortran: bool = False

    def __post_init__(self) -> None:
        """What a file says of an array need not be so: bytes that do not fit are bytes, or a list of numbers."""
        width = np.dtype(self.dtype).itemsize if self.dtype else 1
        if not width or self.size % width:
            object.__setattr__(self, "dtype", "")
        elif self.dtype and self.shape and not _is_shape(self.shape, self.size // width):
            object.__setattr__(self, "shape", (self.size // width,))

    @property
    def size(self) -> int:
        """Bytes."""
        return self.content.length if isinstance(self.content, Span) else len(self.content)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """All bytes in order."""
        if isinstance(self.content, Span):
            yield from self.content.chunks(size)
        else:
            for at in range(0, len(self.content), size):
                yield self.content[at : at + size]

    def read(self, at: int, most: int) -> bytes:
        """Some bytes from ``at``; fewer at the end."""
        return self.content.read(at, most) if isinstance(self.content, Span) else self.content[at : at + most]


@dataclass(slots=True)
class Recognised:
    """A file of a known kind. ``strings``: every text in it, such as names, classes and vocabularies."""

    kind: str
    rule: str
    pieces: list[Piece] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    loadable: str = ""
    """``skops`` or ``pickle``: scikit-learn may load it in the box to see what its steps make of the rows."""


def place(*parts: str) -> str:
    """A place in a file. Parts that are not plain words could carry data and are shown as ``*``."""
    shown = [part if _PLAIN.fullmatch(part) and len(part) <= 40 else "*" for part in parts]
    return ".".join(shown)[:LONGEST_PLACE]


def numbers(where: str, values: Sequence[Any]) -> Piece:
    """Numbers as an array of double precision."""
    return array(where, np.asarray(values, dtype="<f8"))


def count_of(shape: Sequence[Any]) -> int:
    """How many values an array of this shape has; raises :class:`HeldBackError` for what is no shape."""
    if len(shape) > _MOST_DIMENSIONS or not all(type(size) is int and 0 <= size < 1 << 63 for size in shape):
        raise HeldBackError("an array in it has a shape that no array has")
    return math.prod(shape)


def _is_shape(shape: Sequence[Any], count: int) -> bool:
    try:
        return count_of(shape) == count
    except HeldBackError:
        return False


def array(where: str, values: NDArray[Any]) -> Piece:
    """An array that is in memory."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return Piece(where, np.ascontiguousarray(little).tobytes(), little.dtype.str, values.shape)


@dataclass(slots=True)
class Collected:
    """Every text and number of a parsed document, in order, and its rectangular lists as arrays."""

    strings: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    arrays: list[Piece] = field(default_factory=list)

    def pieces(self, where: str) -> list[Piece]:
        """The arrays, and all numbers in the order of the file."""
        return [*self.arrays, *([numbers(place(where, "numbers"), self.values)] if self.values else [])]


def collect(value: Any, into: Collected, where: str = "", *, depth: int = 0) -> None:
    """Walk a value of JSON, YAML or UBJSON; raises :class:`HeldBackError` for nesting that is too deep."""
    if depth > 200:
        raise HeldBackError("its parts are nested too deeply")
    if isinstance(value, str):
        into.strings.append(value)
    elif isinstance(value, np.ndarray):
        into.arrays.append(array(where, value))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            into.strings.append(str(name))
            collect(each, into, f"{where}.{place(str(name))}", depth=depth + 1)
    elif isinstance(value, list | tuple):
        _collect_list(value, into, where, depth)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        into.values.append(as_float(value))
    else:
        raise HeldBackError("it has values that are neither text nor numbers")


def _collect_list(value: Sequence[Any], into: Collected, where: str, depth: int) -> None:
    rectangular = _rectangular(value)
    if rectangular is not None:
        into.arrays.append(array(where[:LONGEST_PLACE], rectangular))
        into.values.extend(rectangular.ravel().tolist())
        return
    for each in value:
        collect(each, into, where, depth=depth + 1)


def _rectangular(value: Sequence[Any]) -> NDArray[Any] | None:
    first: Any = value
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if not value or isinstance(first, bool) or not isinstance(first, int | float):
        return None
    try:
        found = np.asarray(value, dtype="<f8")
    except (ValueError, TypeError, OverflowError):
        return None
    return None if _has_other_values(value) else found


def _has_other_values(value: Sequence[Any]) -> bool:
    """Whether there are texts or truth values that numpy would make numbers of."""
    for each in value:
        if isinstance(each, list | tuple):
            if _has_other_values(each):
                return True
        elif isinstance(each, str | bool) or each is None:
            return True
    return False


def as_float(value: float) -> float:
    """A number in double precision; raises :class:`HeldBackError` for one that is too long to be one."""
    if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
        raise HeldBackError(f"a number in it has more than {LONGEST_NUMBER} bits")
    return float(value)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For ``json.loads``: refuses names that stand twice, of which only the last would be looked at."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise HeldBackError("a name stands twice in one object")
    return found


def require_memory(*, lists: int, texts: int = 0, numbers: int = 0) -> None:
    """Raises :class:`HeldBackError` for a document whose values would take the memory of whatever else runs here."""
    if lists * _OF_A_LIST + texts * _OF_A_TEXT + numbers * _OF_A_NUMBER > _MOST_MEMORY:
        raise HeldBackError("it has more values than can be looked at")


def parsed_json(text: bytes) -> Any:
    """The value of a JSON text; raises :class:`HeldBackError` when it is none, or would take much more memory."""
    require_memory(lists=text.count(b"[") + text.count(b"{"), texts=text.count(b'"') // 2, numbers=text.count(b","))
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise HeldBackError("it is not valid JSON") from None
