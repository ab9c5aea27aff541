"""The text of a manifest: canonical JSON, so that the same blobs always have the same digest. Pure.

Sorted keys, no spaces, UTF-8, blobs in order of their names. Written and read piece by piece, because a container may
hold many.

A manifest says which versions of blobs are read, so its own digest changes when the same bytes are written again.
A second digest says whether the data differ, of names and contents only.
"""

import codecs
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

CONTAINER = "edgetrain-manifests"  # on the hub, beside the data; no pipeline watches it
SCHEMA = 1

_HEAD = '{"blobs":['
_PIECE = 1024  # entries that are written at once
_LONGEST_ENTRY = 64 * 1024  # characters; a name has 1,024 at most

_string: Callable[[str], str] = json.encoder.encode_basestring  # as json.dumps(..., ensure_ascii=False) writes a text
_decode = json.JSONDecoder().raw_decode

Sink = Callable[[bytes], object]


class DisorderError(Exception):
    """Blobs were not in order of their names."""


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One blob of a snapshot.

    ``etag`` with its quotes, as an ``If-Match`` header takes it; ``size`` in bytes; ``md5`` in hex when the service
    knows the one of these very bytes.
    """

    name: str
    etag: str
    size: int
    md5: str | None
    last_modified: datetime

    @property
    def content(self) -> str:
        """Identifies the bytes, as far as the storage knows: the MD5, or else the ETag."""
        return f"md5 {self.md5} of {self.size}" if self.md5 else f"etag {self.etag}"


class ManifestWriter:
    """Writes a manifest to ``sink``, and counts what it holds: ``blobs``, their ``size``, when the ``newest`` is of.

    ``content``: SHA-256 in hex of names and contents; complete at the end.
    """

    def __init__(self, sink: Sink, *, pipeline: str, container: str, holdout: BlobEntry) -> None:
        self.blobs = 0
        self.size = 0
        self.newest: datetime | None = None
        self._sink = sink
        self._tail = (
            f'],"container":{_string(container)},"holdout":{_entry(holdout)}'
            f',"pipeline":{_string(pipeline)},"schema":{SCHEMA}}}'
        )
        self._total = hashlib.sha256()
        self._contents = hashlib.sha256()
        self._named = [json.dumps([pipeline, container, holdout.name, holdout.content])]
        self._last = ""
        self._lead = _HEAD
        self._waiting: list[str] = []

    def add(self, blob: BlobEntry) -> None:
        """Write one blob. Raises :class:`DisorderError` when its name does not come after the one before."""
        if blob.name <= self._last:
            raise DisorderError(f"{blob.name!r} came after {self._last!r}")
        self._last = blob.name
        self.blobs += 1
        self.size += blob.size
        if self.newest is None or blob.last_modified > self.newest:
            self.newest = blob.last_modified
        self._named.append(f"{_string(blob.name)} {_string(blob.content)}")
        self._waiting.append(_entry(blob))
        if len(self._waiting) == _PIECE:
            self._write_waiting()

    def end(self) -> str:
        """Write the rest; returns the manifest's digest."""
        if self._waiting or self.blobs == 0:
            self._write_waiting()
        self._write(self._tail)
        return self._total.hexdigest()

    @property
    def content(self) -> str:
        """The digest of names and contents, independent of when and how often they were written."""
        return self._contents.hexdigest()

    def _write_waiting(self) -> None:
        self._contents.update("".join(f"{line}\n" for line in self._named).encode("utf-8"))
        self._named.clear()
        self._write(self._lead + ",".join(self._waiting))
        self._lead = ","
        self._waiting.clear()

    def _write(self, text: str) -> None:
        piece = text.encode("utf-8")
        self._total.update(piece)
        self._sink(piece)


def holdout_digest(holdout: BlobEntry, *, site: str, container: str) -> str:
    """SHA-256 in hex of the hold-out's content: the same for the same bytes, wherever they are stored.

    The storage may have no MD5 of a blob; then its address and ETag identify the bytes.
    """
    where = ["etag", site, container, holdout.name, holdout.etag]
    known = ["md5", holdout.md5] if holdout.md5 else where
    return hashlib.sha256(json.dumps([*known, holdout.size]).encode("utf-8")).hexdigest()


def listed_blobs(manifest: Iterable[bytes]) -> Iterator[BlobEntry]:
    """The blobs of a manifest in order of their names, parsed from its bytes on demand.

    Raises ``ValueError`` for what is no manifest.
    """
    text, at, first = "", 0, True
    for piece in codecs.iterdecode(manifest, "utf-8"):
        text, at = text[at:] + piece, 0
        if first:
            if len(text) <= len(_HEAD):
                continue
            if not text.startswith(_HEAD):
                raise ValueError("not a manifest")
            at, first = len(_HEAD), False
        while at < len(text):
            if text[at] == "]":
                return
            try:
                item, at = _decode(text, at + 1 if text[at] == "," else at)
            except ValueError:  # the rest of it is in the next piece
                break
            yield _blob(item)
        if len(text) - at > _LONGEST_ENTRY:
            break
    raise ValueError("not a whole manifest")


def _entry(blob: BlobEntry) -> str:
    md5 = "null" if blob.md5 is None else f'"{blob.md5}"'
    return (
        f'{{"etag":{_string(blob.etag)},"last_modified":"{_moment(blob.last_modified)}","md5":{md5}'
        f',"name":{_string(blob.name)},"size":{blob.size}}}'
    )


@lru_cache(maxsize=256)
def _moment(moment: datetime) -> str:
    # Storage counts whole seconds, and what was written together is listed together.
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _blob(item: Any) -> BlobEntry:
    try:
        return BlobEntry(
            name=item["name"],
            etag=item["etag"],
            size=item["size"],
            md5=item["md5"],
            last_modified=datetime.fromisoformat(item["last_modified"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an entry of a manifest: {error}") from error
