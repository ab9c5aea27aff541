"""The text of a manifest: canonical JSON, so that the same blobs always have the same digest. Pure.

Sorted keys, no spaces, UTF-8, blobs in order of their names. Made piece by piece, because a container may hold many.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

CONTAINER = "edgetrain-manifests"  # on the hub, beside the data; no pipeline watches it
SCHEMA = 1

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


class DisorderError(Exception):
    """Blobs did not come in order of their names."""


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One blob of a snapshot.

    ``etag`` with its quotes, as an ``If-Match`` header takes it; ``size`` in bytes; ``md5`` in hex when the service
    knows one.
    """

    name: str
    etag: str
    size: int
    md5: str | None
    last_modified: datetime


def manifest_pieces(
    *, pipeline: str, container: str, holdout: BlobEntry, blobs: Iterable[BlobEntry]
) -> Iterator[bytes]:
    """The manifest's bytes, a piece per blob. Raises :class:`DisorderError` when names do not strictly ascend."""
    yield b'{"blobs":['
    before = ""
    for blob in blobs:
        if blob.name <= before:
            raise DisorderError(f"{blob.name!r} came after {before!r}")
        yield (("," if before else "") + _entry(blob)).encode("utf-8")
        before = blob.name
    yield f'],"container":{_encode(container)},"holdout":{_entry(holdout)}'.encode()
    yield f',"pipeline":{_encode(pipeline)},"schema":{SCHEMA}}}'.encode()


def _entry(blob: BlobEntry) -> str:
    return _encode(
        {
            "name": blob.name,
            "etag": blob.etag,
            "size": blob.size,
            "md5": blob.md5,
            "last_modified": blob.last_modified.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
    )
