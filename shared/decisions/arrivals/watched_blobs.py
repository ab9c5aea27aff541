"""Which blobs belong to a pipeline; used for events and listings alike, so that they agree. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.pipelines import Data, Pipeline

STILL = timedelta(seconds=60)
"""An append blob is listed when nothing was added to it for so long."""


def below_prefix(data: Data, blob: str) -> bool:
    """Whether the blob lies where the pipeline's data lies."""
    return blob.startswith(data.prefix)


def matches_pattern(data: Data, blob: str) -> bool:
    """Whether the rest of the name matches the pattern; ``*`` also matches ``/``, so folders below count."""
    return fnmatchcase(blob.removeprefix(data.prefix), data.pattern)


def is_done_marker(pipeline: Pipeline, blob: str) -> bool:
    """Whether the blob is the pipeline's done-marker, which is not data itself."""
    return blob == done_marker(pipeline)


def done_marker(pipeline: Pipeline) -> str | None:
    """The full name of the done-marker; None when the pipeline has none."""
    marker = pipeline.settle.done_marker
    return None if marker is None else pipeline.data.prefix + marker


def selects(pipeline: Pipeline, blob: str, size: int) -> bool:
    """Whether a snapshot may take the blob. Neither hold-out nor done-marker are trained on; an empty blob has no rows.

    Empty blobs are also what a hierarchical namespace shows for folders and for uploads that have only begun.
    """
    data = pipeline.data
    return (
        size != 0
        and blob != data.holdout
        and below_prefix(data, blob)
        and matches_pattern(data, blob)
        and not is_done_marker(pipeline, blob)
    )


def is_still_written(kind: str | None, last_modified: datetime, now: datetime | None) -> bool:
    """Whether a blob may grow between listing and reading: an append blob that was written just now.

    ``kind`` and ``now`` are the storage's; without its clock the answer is no.
    """
    return kind == "AppendBlob" and now is not None and now - last_modified < STILL
