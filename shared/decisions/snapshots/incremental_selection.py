"""What is new since an earlier snapshot. Pure.

A listing is no snapshot: a blob may appear behind its cursor, times have whole seconds, and who syncs writes the same
bytes again and again. So a plain "newer than" would lose blobs, and take others twice. Instead everything that was
listed is remembered by name and content, in the list of what is *seen*; the next snapshot takes what is not in it.

Lists of schema 1 are of ETags, and only of what was written after a *horizon*: what is older had certainly been listed.

The list is in order of names, as listings are, so both are walked side by side and neither is held in memory.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.formats.manifest import BlobEntry, Sink
from shared.messages import Snapshot

if TYPE_CHECKING:
    from shared.pipelines import Pipeline

SCHEMA = 2
_BY_ETAG = 1  # the schema of lists from before contents counted

_EVER = datetime.min.replace(tzinfo=UTC)
_PIECE = 1024  # lines that are written at once


@dataclass(frozen=True, slots=True)
class Seen:
    """What was listed by all snapshots up to one: pairs of name and content, in order of names.

    ``aim``: what the pipeline watched then. ``horizon``: what was written before it was listed too, though it is not
    among the pairs. ``by_etag``: the pairs are of name and ETag.
    """

    aim: str
    pairs: Iterator[tuple[str, str]]
    horizon: datetime = _EVER
    by_etag: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training that came to a verdict, and what it trained on."""

    run_id: str
    snapshot: Snapshot
    requested_at: datetime
    ended_at: datetime

    def covers(self, other: Trained) -> bool:
        """Whether all that had been trained with ``other`` has been with this one, because it listed later."""
        mine, others = self.snapshot.taken_at, other.snapshot.taken_at
        if mine is None or others is None:
            return False
        return (mine, self.requested_at) > (others, other.requested_at)  # the storage's clock has whole seconds


def aim_of(pipeline: Pipeline) -> str:
    """What a pipeline watches. Snapshots of another aim say nothing about what is new."""
    data = pipeline.data
    marker = pipeline.settle.done_marker
    return json.dumps([data.site, data.container, data.prefix, data.pattern, data.holdout, marker])


class News:
    """Tells the new blobs of a listing, which must be asked about in order of their names."""

    def __init__(self, before: Seen | None) -> None:
        self._before = before or Seen("", iter(()))
        self._next = next(self._before.pairs, None)

    def is_new(self, blob: BlobEntry) -> bool:
        """Whether no earlier snapshot has taken these bytes under this name."""
        if blob.last_modified < self._before.horizon:
            return False
        while self._next is not None and self._next[0] < blob.name:
            self._next = next(self._before.pairs, None)
        return self._next != (blob.name, blob.etag if self._before.by_etag else blob.content)


class SeenWriter:
    """Writes the list of what is seen to ``sink``: JSON Lines, the first of which says what the list is of."""

    def __init__(self, sink: Sink, *, aim: str) -> None:
        self._sink = sink
        self._total = hashlib.sha256()
        self._waiting = [json.dumps({"aim": aim, "schema": SCHEMA})]

    def add(self, blob: BlobEntry) -> None:
        """Note a blob that was listed."""
        self._waiting.append(json.dumps([blob.name, blob.content]))
        if len(self._waiting) == _PIECE:
            self._write_waiting()

    def end(self) -> str:
        """Write the rest; the list's digest."""
        self._write_waiting()
        return self._total.hexdigest()

    def _write_waiting(self) -> None:
        piece = "".join(f"{line}\n" for line in self._waiting).encode("ascii")
        self._total.update(piece)
        self._sink(piece)
        self._waiting.clear()


def seen_in(text: Iterable[bytes]) -> Seen:
    """The list that a :class:`SeenWriter` wrote; its pairs are read as they are needed. ``ValueError``: it is none."""
    lines = _lines(text)
    head = json.loads(next(lines, ""))
    schema = head.get("schema") if isinstance(head, dict) else None
    if schema == SCHEMA:
        return Seen(head["aim"], _pairs(lines))
    if schema == _BY_ETAG:
        return Seen(head["aim"], _pairs(lines), datetime.fromisoformat(head["horizon"]), by_etag=True)
    raise ValueError("not a list of what is seen")


def _pairs(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, of = json.loads(line)
        yield name, of


def _lines(text: Iterable[bytes]) -> Iterator[str]:
    rest = ""
    for piece in codecs.iterdecode(text, "ascii"):
        *whole, rest = (rest + piece).split("\n")
        yield from whole
    if rest:
        raise ValueError("the list of what is seen ends in the middle of a line")
