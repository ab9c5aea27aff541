"""The seen set of a snapshot, as it is kept on the hub: what all snapshots up to it have listed, by name and content.

JSON Lines, the first of which says what the set is of. In order of names, as listings are, so that both are walked side
by side and neither is held in memory. Sets of schema 1 are of ETags, and only of what was written after a *horizon*:
what is older had certainly been listed.
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
    """What was listed by all snapshots up to one: pairs of name and content, in order of names.

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


def read_seen_set(text: Iterable[bytes]) -> SeenSet:
    """The set that a :class:`SeenSetWriter` wrote; pairs are read as they are needed. ``ValueError``: it is none."""
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
