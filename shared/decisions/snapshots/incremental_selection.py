"""Incremental selection: which blobs are new since an earlier snapshot. Pure.

"Newer than" is not enough: a blob may appear behind a listing's cursor, times have whole seconds, and sync tools write
the same bytes repeatedly; it would lose blobs, and take others twice. Instead everything that was listed is kept by
name and content in the *seen set*; the next snapshot takes what is not in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.formats.manifest import BlobEntry
from shared.formats.seen_set import SeenSet
from shared.messages import Snapshot

if TYPE_CHECKING:
    from shared.pipelines import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTraining:
    """A training that was judged, and its snapshot."""

    run_id: str
    snapshot: Snapshot
    requested_at: datetime
    ended_at: datetime

    def covers(self, other: LastTraining) -> bool:
        """Whether this training has seen everything that ``other`` had, because it listed later."""
        mine, others = self.snapshot.taken_at, other.snapshot.taken_at
        if mine is None or others is None:
            return False
        return (mine, self.requested_at) > (others, other.requested_at)  # the storage's clock has whole seconds


def scope_of(pipeline: Pipeline) -> str:
    """The scope: what a pipeline watches. Seen sets of another scope do not say what is new."""
    data = pipeline.data
    marker = pipeline.settle.done_marker
    return json.dumps([data.site, data.container, data.prefix, data.pattern, data.holdout, marker])


class NewBlobs:
    """Finds the new blobs of a listing; must be called in order of their names."""

    def __init__(self, before: SeenSet | None) -> None:
        self._before = before or SeenSet("", iter(()))
        self._next = next(self._before.pairs, None)

    def is_new(self, blob: BlobEntry) -> bool:
        """Whether no earlier snapshot has taken these bytes under this name."""
        if blob.last_modified < self._before.horizon:
            return False
        while self._next is not None and self._next[0] < blob.name:
            self._next = next(self._before.pairs, None)
        return self._next != (blob.name, blob.etag if self._before.by_etag else blob.content)
