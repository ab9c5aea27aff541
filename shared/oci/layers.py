"""Layers that depend on nothing but their files: the same files make the same digest, today and on a retry.

Names are sorted, owners are 0:0, times are 0, modes are 0755 or 0644, and the gzip header names no time and no file.
Everything is streamed in small pieces, so that the size of a model does not matter.
"""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from shared.oci.images import Descriptor, Layer
from shared.oci.media_types import OCI_LAYER_GZIP

# Fixed, because deflate's output depends on how its input is cut.
_PIECE = 64 * 1024

STORE, FAST, SMALL = 0, 1, 6  # deflate levels
_SAMPLE = 1024 * 1024
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


def write_layer(entries: Iterable[Entry], into: BinaryIO, *, level: int = FAST) -> Layer:
    """Write a gzip-compressed layer of these entries and of the folders above them; returns what it is called.

    Raises ``ValueError`` when two entries have the same path.
    """
    stream = _LayerStream(into, level)
    with tarfile.open(fileobj=stream, mode="w|", bufsize=_PIECE, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]  # asks for more than the write() it uses
        for entry in _with_parents(entries):
            _add(archive, entry)
    return stream.finish()


def compress_layer(tar: Readable, into: BinaryIO, *, level: int = SMALL) -> Layer:
    """Make a layer of an existing tar stream, whose bytes are kept as they are."""
    stream = _LayerStream(into, level)
    while piece := tar.read(_PIECE):
        stream.write(piece)
    return stream.finish()


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
    """Hashes what is written, compresses it, and hashes and stores that."""

    def __init__(self, into: BinaryIO, level: int) -> None:
        self._into = into
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
        self._plain = hashlib.sha256()
        self._packed = hashlib.sha256()
        self._size = 0

    def write(self, piece: bytes) -> int:
        self._plain.update(piece)
        self._store(self._deflate.compress(piece))
        return len(piece)

    def finish(self) -> Layer:
        self._store(self._deflate.flush())
        self._into.flush()
        descriptor = Descriptor(OCI_LAYER_GZIP, f"sha256:{self._packed.hexdigest()}", self._size)
        return Layer(descriptor, f"sha256:{self._plain.hexdigest()}")

    def _store(self, packed: bytes) -> None:
        self._packed.update(packed)
        self._size += len(packed)
        self._into.write(packed)


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


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)  # owner, group and time are 0 unless said
    if entry.source is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
        return
    with entry.source.open("rb") as content:
        status = os.fstat(content.fileno())
        info.size = status.st_size
        info.mode = 0o755 if status.st_mode & 0o100 else 0o644
        archive.addfile(info, content)


def _placed(path: Path, source: Path, at: str) -> str:
    return f"{at}/{path.relative_to(source).as_posix()}"


def _require(path: Path, *, plain: bool) -> None:
    if not plain:
        raise ValueError(f"{path.name!r} is neither a file nor a folder")
