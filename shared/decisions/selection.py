"""Which blobs a pipeline means; events and listings ask the same function, so that they agree. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.pipelines import Data


def below_prefix(data: Data, blob: str) -> bool:
    """Whether the blob lies where the pipeline's data lies."""
    return blob.startswith(data.prefix)


def matches_pattern(data: Data, blob: str) -> bool:
    """Whether the rest of the name matches the pattern; ``*`` also matches ``/``, so folders below count."""
    return fnmatchcase(blob.removeprefix(data.prefix), data.pattern)


def selects(data: Data, blob: str, size: int) -> bool:
    """Whether a snapshot takes the blob. The hold-out is never trained on; an empty blob holds no rows.

    Empty blobs are also what a hierarchical namespace shows for folders and for uploads that have only begun.
    """
    return size != 0 and blob != data.holdout and below_prefix(data, blob) and matches_pattern(data, blob)
