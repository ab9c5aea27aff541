"""Layers that depend on nothing but their files: the same files make the same digest, today and on a retry.

Names are sorted, owners are 0:0, times are 0, modes are 0755 or 0644, and the gzip header names no time and no file.
Everything is made in pieces while it is asked for, so that the size of a model does not matter.
"""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from shared.oci.images import Descriptor, Layer
from shared.oci.media_types import OCI_LAYER, OCI_LAYER_GZIP

# Fixed, because deflate's output depends on how its input is cut.
_PIECE = 64 * 1024

STORE, FAST, SMALL = 0, 1, 6  # deflate levels; what is stored is not wrapped in gzip either
_SAMPLE = 1024 * 1024
_READ = 1024 * 1024  # bytes of a file at a time
_GZIP = 16 + zlib.MAX_WBITS  # zlib then writes a gzip header with time 0 and no name


class Readable(Protocol):
    """A file, a pipe or something that unpacks one."""

    def read(self, size: int, /) -> bytes:
        """``size`` bytes, less only at the end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a layer; ``source`` is None for a folder. ``path`` is relative to the image's root."""

    path: str
    source: Path | None = None

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        if not parts or str(PurePosixPath(self.path)) != self.path or self.path[0] == "/" or ".." in parts:
            raise ValueError(f"{self.path!r} is not a plain path below an image's root")


def folder_entries(source: Path, *, at: str) -> list[Entry]:
    """Everything below a folder, placed under ``at``.

    Raises ``ValueError`` for links and devices: a link would smuggle in what it points to.
    """
    entries = [Entry(at)]
    for folder, folders, files in os.walk(source):
        here = Path(folder)
        for name in folders:
            entries.append(Entry(_placed(here / name, source, at)))
            _require(here / name, plain=not (here / name).is_symlink())
        for name in files:
            path = here / name
            _require(path, plain=path.is_file() and not path.is_symlink())
            entries.append(Entry(_placed(path, source, at), path))
    return entries


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What went into a layer as one file: SHA-256 in hex, and bytes."""

    sha256: str
    size: int


class Packing:
    """A layer of these entries and of the folders above them, as pieces to go through once.

    Afterwards ``layer`` says what it is called, and ``files`` what was read, by path in the image.
    Raises ``ValueError`` when two entries have the same path.
    """

    layer: Layer

    def __init__(self, entries: Iterable[Entry], *, level: int = FAST) -> None:
        self.files: dict[str, FileDigest] = {}
        self._entries = _with_parents(entries)
        self._level = level

    def __iter__(self) -> Iterator[bytes]:
        stream = _LayerStream(self._level)
        pieces = _tar(self._entries, self.files)
        for piece in pieces if self._level == STORE else _cut(pieces):
            yield from stream.pack(piece)
        yield from stream.end()
        self.layer = stream.layer


def write_layer(entries: Iterable[Entry], into: BinaryIO, *, level: int = FAST) -> Layer:
    """Write a layer of these entries and of the folders above them; returns what it is called.

    Raises ``ValueError`` when two entries have the same path.
    """
    packing = Packing(entries, level=level)
    into.writelines(packing)
    into.flush()
    return packing.layer


def compress_layer(tar: Readable, into: BinaryIO, *, level: int = SMALL) -> Layer:
    """Make a layer of an existing tar stream, whose bytes are kept as they are."""
    stream = _LayerStream(level)
    while piece := tar.read(_PIECE):
        into.writelines(stream.pack(piece))
    into.writelines(stream.end())
    into.flush()
    return stream.layer


def model_level(files: Iterable[Path]) -> int:
    """Whether compressing is worth it: models are often random-looking floats, or compressed already.

    Judges by the start of the largest file, so the answer is the same on a retry.
    """
    largest = max(files, key=lambda path: (path.stat().st_size, str(path)), default=None)
    if largest is None:
        return FAST
    with largest.open("rb") as content:
        sample = content.read(_SAMPLE)
    return STORE if len(zlib.compress(sample, FAST)) > 0.9 * len(sample) else FAST


class _LayerStream:
    """Hashes what comes, compresses it, and hashes that. What is only stored goes through one hash: it is the same."""

    def __init__(self, level: int) -> None:
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, _GZIP) if level != STORE else None
        self._plain = hashlib.sha256()
        self._packed = hashlib.sha256()
        self._size = 0

    def pack(self, piece: bytes) -> Iterator[bytes]:
        """What the layer goes on with after this piece of the tar."""
        self._plain.update(piece)
        if self._deflate is None:
            self._size += len(piece)
            yield piece
        else:
            yield from self._kept(self._deflate.compress(piece))

    def end(self) -> Iterator[bytes]:
        """The last of the layer."""
        if self._deflate is not None:
            yield from self._kept(self._deflate.flush())

    @property
    def layer(self) -> Layer:
        """What has been made is called."""
        plain = f"sha256:{self._plain.hexdigest()}"
        if self._deflate is None:
            return Layer(Descriptor(OCI_LAYER, plain, self._size), plain)
        return Layer(Descriptor(OCI_LAYER_GZIP, f"sha256:{self._packed.hexdigest()}", self._size), plain)

    def _kept(self, packed: bytes) -> Iterator[bytes]:
        self._packed.update(packed)
        self._size += len(packed)
        if packed:
            yield packed


def _with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """Sorted by path, which puts every folder before what it holds."""
    by_path: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in by_path and not (entry.source is None and by_path[entry.path].source is None):
            raise ValueError(f"{entry.path!r} is there twice")
        by_path[entry.path] = entry
    for path in list(by_path):
        for parent in PurePosixPath(path).parents[:-1]:  # the last one is the root
            if by_path.setdefault(str(parent), Entry(str(parent))).source is not None:
                raise ValueError(f"{str(parent)!r} is a file and a folder")
    return [by_path[path] for path in sorted(by_path)]


def _tar(entries: Iterable[Entry], read: dict[str, FileDigest]) -> Iterator[bytes]:
    """The tar of these entries, as ``tarfile`` writes it into a stream; notes what it has read."""
    written = 0
    for entry in entries:
        for piece in _member(entry, read):
            written += len(piece)
            yield piece
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(written + end) % tarfile.RECORDSIZE)


def _member(entry: Entry, read: dict[str, FileDigest]) -> Iterator[bytes]:
    info = tarfile.TarInfo(entry.path)  # owner, group and time are 0 unless said
    if entry.source is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        yield _header(info)
        return
    with entry.source.open("rb") as content:
        status = os.fstat(content.fileno())
        info.size = status.st_size
        info.mode = 0o755 if status.st_mode & 0o100 else 0o644
        yield _header(info)
        digest, missing = hashlib.sha256(), info.size
        while missing and (piece := content.read(min(_READ, missing))):
            digest.update(piece)
            missing -= len(piece)
            yield piece
    if missing:
        raise OSError(f"{entry.path} lost {missing} bytes while it was read")
    read[entry.path] = FileDigest(digest.hexdigest(), info.size)
    yield bytes(-info.size % tarfile.BLOCKSIZE)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one length, but for the last one."""
    waiting = b""
    for piece in pieces:
        waiting += piece
        whole = len(waiting) - len(waiting) % _PIECE
        for start in range(0, whole, _PIECE):
            yield waiting[start : start + _PIECE]
        waiting = waiting[whole:]
    if waiting:
        yield waiting


def _placed(path: Path, source: Path, at: str) -> str:
    return f"{at}/{path.relative_to(source).as_posix()}"


def _require(path: Path, *, plain: bool) -> None:
    if not plain:
        raise ValueError(f"{path.name!r} is neither a file nor a folder")
