"""Look up many byte strings in a long run of bytes, at every position, with flat memory.

Each byte string (a *window* of a training row) has eight bytes at its group's anchor. One table says which four bytes
can be the second half of an anchor, another which eight can be one; only where both agree all bytes are hashed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Words = NDArray[np.uint32]

_MOST_GROUPS: Final = 32
_BITS_OF_SMALL, _BITS_OF_LARGE = 22, 24
_SPREAD: Final = np.uint32(2654435761)  # Knuth, The Art of Computer Programming 3, 6.4: multiplicative hashing
_LONGEST: Final = 4096
_BATCH: Final = 1 << 16


@dataclass(slots=True)
class _Group:
    label: str
    length: int
    anchor: int
    hashes: NDArray[np.uint64]
    owners: Numbers


@dataclass(slots=True)
class Index:
    """Windows by group. ``owner`` of a window: the number of the row, line or file that it is of."""

    groups: list[_Group] = field(default_factory=list)
    _anchors: list[tuple[Words, Words]] = field(default_factory=list)
    _halves: Any = None
    _masks: Any = None
    _bits: int = _BITS_OF_SMALL

    def add(self, label: str, windows: Bytes, owners: Numbers, anchor: int) -> None:
        """Add windows of one length, at least eight bytes (two dimensions), that differ much at ``anchor``.

        Windows whose bytes there are all equal, such as zeros, are left out: they would be looked at everywhere.
        """
        if len(self.groups) >= _MOST_GROUPS or not len(windows):
            return
        telling = (windows[:, anchor + 4 : anchor + 8] != windows[:, anchor + 4 : anchor + 5]).any(axis=1)
        windows, owners = windows[telling], owners[telling]
        if not len(windows):
            return
        words = np.ascontiguousarray(windows[:, anchor : anchor + 8]).view("<u4")
        hashes = _hashed(windows)
        order = np.argsort(hashes, kind="stable")
        group = _Group(label, windows.shape[1], anchor, hashes[order], owners[order])
        self.groups.append(group)
        self._anchors.append((words[:, 0].copy(), words[:, 1].copy()))
        self._halves = None

    def __bool__(self) -> bool:
        return bool(self.groups)

    @property
    def longest(self) -> int:
        """Bytes of the longest window."""
        return max((group.length for group in self.groups), default=0)

    def find(self, chunks: Iterable[bytes]) -> dict[str, set[int]]:
        """Owners of the windows that are in the bytes, by the label of their group."""
        found: dict[str, set[int]] = {}
        if not self.groups:
            return found
        if self._halves is None:
            self._build()
        kept = b""
        for chunk in chunks:
            data = kept + chunk if kept else chunk
            self._find_in(np.frombuffer(data, np.uint8), found)
            kept = data[-(self.longest - 1) :] if self.longest > 1 else b""
        return found

    def _build(self) -> None:
        total = sum(len(second) for _, second in self._anchors)
        self._bits = min(_BITS_OF_LARGE, max(_BITS_OF_SMALL, (8 * total).bit_length()))
        self._halves = np.zeros(1 << self._bits, np.bool_)
        self._masks = np.zeros(1 << self._bits, np.uint32)
        for number, (first, second) in enumerate(self._anchors):
            self._halves[self._slots(second)] = True
            self._masks[self._slots(_mixed(first, second))] |= np.uint32(1 << number)

    def _slots(self, values: Words) -> Words:
        return (values * _SPREAD) >> np.uint32(32 - self._bits)

    def _find_in(self, data: Bytes, found: dict[str, set[int]]) -> None:
        candidates = [each for offset in range(4) for each in self._candidates(data, offset)]
        if not candidates:
            return
        positions = np.concatenate([each for each, _ in candidates])
        masks = np.concatenate([each for _, each in candidates])
        for number in _bits_in(masks):
            group = self.groups[number]
            here = positions[(masks & np.uint32(1 << number)) != 0] - group.anchor
            self._confirm(data, group, here, found)

    def _candidates(self, data: Bytes, offset: int) -> Iterator[tuple[Numbers, Words]]:
        """Where anchors may be among the words at every fourth byte, and of which groups."""
        usable = (len(data) - offset) // 4 * 4
        if usable < 8:
            return
        words = data[offset : offset + usable].view("<u4")
        seconds = np.flatnonzero(self._halves[self._slots(words[1:])])
        masks = self._masks[self._slots(_mixed(words[seconds], words[seconds + 1]))]
        seconds, masks = seconds[masks != 0], masks[masks != 0]
        if len(seconds):
            yield seconds.astype(np.int64) * 4 + offset, masks

    def _confirm(self, data: Bytes, group: _Group, starts: Numbers, found: dict[str, set[int]]) -> None:
        starts = starts[(starts >= 0) & (starts + group.length <= len(data))]
        steps = np.arange(group.length, dtype=np.int64)
        for at in range(0, len(starts), _BATCH):
            windows = data[starts[at : at + _BATCH, None] + steps]
            hashes = _hashed(windows)
            places = np.searchsorted(group.hashes, hashes)
            places[places == len(group.hashes)] = 0
            hits = np.unique(places[group.hashes[places] == hashes])
            if len(hits):
                found.setdefault(group.label, set()).update(group.owners[hits].tolist())


def _mixed(first: Words, second: Words) -> Words:
    return first * np.uint32(0x85EBCA6B) + second


def _bits_in(masks: Words) -> list[int]:
    together = int(np.bitwise_or.reduce(masks))
    return [number for number in range(_MOST_GROUPS) if together >> number & 1]


_MULTIPLIERS: Final = np.random.default_rng(20261128).integers(1, 1 << 63, _LONGEST // 4, np.uint64) * np.uint64(2) + 1


def _hashed(windows: Bytes) -> NDArray[np.uint64]:
    """Multilinear hashing (Lemire and Kaser, 2014) of each row's four-byte words; equal rows have equal hashes."""
    count, length = windows.shape
    padded = -length % 4
    if padded:
        windows = np.concatenate([windows, np.zeros((count, padded), np.uint8)], axis=1)
    words = np.ascontiguousarray(windows).view("<u4")
    result = np.zeros(count, np.uint64)
    for index in range(words.shape[1]):
        result += words[:, index].astype(np.uint64) * _MULTIPLIERS[index]
    return result ^ (result >> np.uint64(29))
