"""What is new since an earlier snapshot. Pure.

A listing is no snapshot: a blob may appear behind its cursor, and times have whole seconds. So a plain "newer than"
would lose blobs. Instead a snapshot has a *horizon*, a little before it began by the storage's own clock: what was
written before it had certainly been listed. What was written later is remembered by name and ETag, in the list of what
is *seen*; the next snapshot takes what was written after that horizon and is not in the list.

The list is in order of names, as listings are, so both are walked side by side and neither is held in memory.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.decisions.manifest import BlobEntry, Sink
from shared.messages import Snapshot

if TYPE_CHECKING:
    from shared.pipelines import Pipeline

OVERLAP = timedelta(seconds=60)
SCHEMA = 1

_EVER = datetime.min.replace(tzinfo=UTC)
_PIECE = 1024  # lines that are written at once


@dataclass(frozen=True, slots=True)
class Seen:
    """What all snapshots up to one have taken of what was written after its horizon: pairs of name and ETag.

    ``aim``: what the pipeline watched then.
    """

    aim: str
    horizon: datetime
    versions: Iterator[tuple[str, str]]


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


def horizon_of(taken_at: datetime | None) -> datetime:
    """What was written before it was listed by a listing that began at ``taken_at``; unknown: nothing is certain."""
    return _EVER if taken_at is None else taken_at - OVERLAP


class News:
    """Tells the new blobs of a listing, which must be asked about in order of their names."""

    def __init__(self, before: Seen | None, horizon: datetime) -> None:
        # If the storage's clock was set back, rather take a blob twice than never.
        self._since = _EVER if before is None else min(before.horizon, horizon)
        self._seen = iter(()) if before is None else before.versions
        self._next = next(self._seen, None)

    def is_new(self, blob: BlobEntry) -> bool:
        """Whether no earlier snapshot has taken this version of the blob."""
        if blob.last_modified < self._since:
            return False
        while self._next is not None and self._next[0] < blob.name:
            self._next = next(self._seen, None)
        return self._next != (blob.name, blob.etag)


class SeenWriter:
    """Writes the list of what is seen to ``sink``: JSON Lines, the first of which says what the list is of."""

    def __init__(self, sink: Sink, *, aim: str, horizon: datetime) -> None:
        self._sink = sink
        self._horizon = horizon
        self._total = hashlib.sha256()
        head = {"aim": aim, "horizon": horizon.isoformat(), "schema": SCHEMA}
        self._waiting = [json.dumps(head)]

    def add(self, blob: BlobEntry) -> None:
        """Note a blob that was listed; one from before the horizon needs no note."""
        if blob.last_modified >= self._horizon:
            self._waiting.append(json.dumps([blob.name, blob.etag]))
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
    if not isinstance(head, dict) or head.get("schema") != SCHEMA:
        raise ValueError("not a list of what is seen")
    return Seen(head["aim"], datetime.fromisoformat(head["horizon"]), _versions(lines))


def _versions(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, etag = json.loads(line)
        yield name, etag


def _lines(text: Iterable[bytes]) -> Iterator[str]:
    rest = ""
    for piece in codecs.iterdecode(text, "ascii"):
        *whole, rest = (rest + piece).split("\n")
        yield from whole
    if rest:
        raise ValueError("the list of what is seen ends in the middle of a line")
