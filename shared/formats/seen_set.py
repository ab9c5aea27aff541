"""The file format of a seen set on the hub: everything that was listed up to a snapshot, by name and content.

JSON Lines with a header line. Sorted by name like listings, so that both are read in parallel and neither is held in
memory. Sets of schema 1 have ETags, and only blobs that were written after a *horizon*: all older ones had certainly
been listed.
"""

import codecs
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.formats.manifest import BlobEntry, Sink

SCHEMA = 2
_BY_ETAG = 1  # the schema of sets from before contents counted

_EVER = datetime.min.replace(tzinfo=UTC)
_PIECE = 1024  # lines that are written at once


@dataclass(frozen=True, slots=True)
class SeenSet:
    """Everything that was listed up to a snapshot: pairs of name and content, in order of names.

    ``scope``: what the pipeline watched then. ``horizon``: what was written before it was listed too, though it is not
    among the pairs. ``by_etag``: the pairs are of name and ETag.
    """

    scope: str
    pairs: Iterator[tuple[str, str]]
    horizon: datetime = _EVER
    by_etag: bool = False


class SeenSetWriter:
    """Writes a seen set to ``sink``."""

    def __init__(self, sink: Sink, *, scope: str) -> None:
        self._sink = sink
        self._total = hashlib.sha256()
        self._waiting = [json.dumps({"aim": scope, "schema": SCHEMA})]

    def add(self, blob: BlobEntry) -> None:
        """Add a blob that was listed."""
        self._waiting.append(json.dumps([blob.name, blob.content]))
        if len(self._waiting) == _PIECE:
            self._write_waiting()

    def end(self) -> str:
        """Write the rest; returns the set's digest."""
        self._write_waiting()
        return self._total.hexdigest()

    def _write_waiting(self) -> None:
        piece = "".join(f"{line}\n" for line in self._waiting).encode("ascii")
        self._total.update(piece)
        self._sink(piece)
        self._waiting.clear()


def read_seen_set(text: Iterable[bytes]) -> SeenSet:
    """Parse the file of a :class:`SeenSetWriter`; pairs are read on demand. Raises ``ValueError`` for anything else."""
    lines = _lines(text)
    head = json.loads(next(lines, ""))
    schema = head.get("schema") if isinstance(head, dict) else None
    if schema == SCHEMA:
        return SeenSet(head["aim"], _pairs(lines))
    if schema == _BY_ETAG:
        return SeenSet(head["aim"], _pairs(lines), datetime.fromisoformat(head["horizon"]), by_etag=True)
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
