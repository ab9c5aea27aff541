"""Snapshot selection: which of the watched blobs a snapshot takes: all, the new ones, or the latest. Pure.

One pass over the listing, in order of names; only the latest N are held in memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.decisions.snapshots.incremental_selection import NewBlobs, scope_of
from shared.formats.manifest import BlobEntry, ManifestWriter, Sink
from shared.formats.seen_set import SeenSet, SeenSetWriter

if TYPE_CHECKING:
    from shared.pipelines import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedSnapshot:
    """What a snapshot took, and what was listed.

    ``listing``: the content digest that a manifest of everything would have; ``listed`` and ``newest`` are of
    everything too. ``content``, the manifest's ``digest``, ``blobs`` and ``size`` are of what was taken; ``seen``: the
    digest of the seen set.
    """

    listing: str
    content: str
    listed: int
    newest: datetime | None
    digest: str
    blobs: int
    size: int
    seen: str = ""


class _Choice(Protocol):
    def offer(self, blob: BlobEntry) -> None: ...

    def end(self) -> str: ...


def select_snapshot(
    listed: Iterable[BlobEntry],
    *,
    pipeline: Pipeline,
    holdout: BlobEntry,
    manifest: Sink,
    seen: Sink,
    before: SeenSet | None = None,
) -> SelectedSnapshot:
    """Write the manifest of what the pipeline selects, and for ``select: new`` the seen set.

    ``before``: the seen set of the last trained snapshot. Raises :class:`shared.formats.manifest.DisorderError`.
    """

    def writer(sink: Sink) -> ManifestWriter:
        return ManifestWriter(sink, pipeline=pipeline.name, container=pipeline.data.container, holdout=holdout)

    selected = writer(manifest)
    if pipeline.data.select == "all":
        for blob in listed:
            selected.add(blob)
        digest = selected.end()
        return SelectedSnapshot(
            listing=selected.content,
            content=selected.content,
            listed=selected.blobs,
            newest=selected.newest,
            digest=digest,
            blobs=selected.blobs,
            size=selected.size,
        )
    everything = writer(_nowhere)
    choice = _choice(pipeline, selected, seen, before)
    for blob in listed:
        everything.add(blob)
        choice.offer(blob)
    noted, digest = choice.end(), selected.end()
    everything.end()
    return SelectedSnapshot(
        listing=everything.content,
        content=selected.content,
        listed=everything.blobs,
        newest=everything.newest,
        digest=digest,
        blobs=selected.blobs,
        size=selected.size,
        seen=noted,
    )


def _choice(pipeline: Pipeline, selected: ManifestWriter, seen: Sink, before: SeenSet | None) -> _Choice:
    select = pipeline.data.select
    if isinstance(select, str):
        scope = scope_of(pipeline)
        same = before if before is not None and before.scope == scope else None
        return _New(selected, NewBlobs(same), SeenSetWriter(seen, scope=scope))
    return _Latest(selected, select.latest)


@dataclass(frozen=True, slots=True)
class _New:
    selected: ManifestWriter
    new_blobs: NewBlobs
    seen: SeenSetWriter

    def offer(self, blob: BlobEntry) -> None:
        self.seen.add(blob)
        if self.new_blobs.is_new(blob):
            self.selected.add(blob)

    def end(self) -> str:
        return self.seen.end()


class _Latest:
    """Keeps the newest; of those written in the same second, the last by name."""

    def __init__(self, selected: ManifestWriter, most: int) -> None:
        self._selected, self._most = selected, most
        self._kept: list[tuple[datetime, str, BlobEntry]] = []  # a heap; names differ, so entries are never compared

    def offer(self, blob: BlobEntry) -> None:
        entry = (blob.last_modified, blob.name, blob)
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def end(self) -> str:
        for _, _, blob in sorted(self._kept, key=lambda entry: entry[1]):
            self._selected.add(blob)
        return ""


def _nowhere(_: bytes) -> None:
    """A sink for text of which only the digest is needed."""
