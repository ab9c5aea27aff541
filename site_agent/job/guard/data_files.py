"""The files of the data, and the files in their zip archives, each of which is read as if it lay there by itself.

An archive whose parts are compressed is also a file of its own: a model that holds its bytes holds none of its parts'.
"""

import errno
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Final

_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, UnicodeDecodeError)
"""What reading of an archive raises: damage, an unknown kind of compression, a password."""

_MAGIC: Final = b"PK\x03\x04"
_MOST_PARTS: Final = 1_000_000
_LARGEST: Final = 64 * 1024**3  # bytes unpacked; what claims to hold more is looked at packed
_ENCRYPTED: Final = 1


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the data; ``part``: the one that is meant of those in the archive ``path``."""

    path: Path
    size: int
    part: zipfile.ZipInfo | None = None

    def open(self) -> IO[bytes]:
        """Open it to be read; see :func:`passing_over_damage`."""
        return self.path.open("rb") if self.part is None else _archive(self.path).open(self.part)

    def head(self, size: int) -> bytes:
        """Its first bytes."""
        with self.open() as file:
            return file.read(size)


@contextmanager
def passing_over_damage(file: DataFile) -> Iterator[None]:
    """Reading of a file ends where it is damaged; what the disk cannot read is an error."""
    try:
        yield
    except _DAMAGE:
        if file.part is None:
            raise
    except OSError as error:  # bzip2 calls damage so; a place before the beginning of the file is one too
        if file.part is None or _is_of_the_disk(error):
            raise


def _is_of_the_disk(error: OSError) -> bool:
    return error.errno not in (None, errno.EINVAL)


def data_files(folder: Path) -> Iterator[DataFile]:
    """All files below the folder by their names; links are none."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        whole = DataFile(path, path.stat().st_size)
        parts = _parts(path)
        if not parts or any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            yield whole
        yield from (DataFile(path, part.file_size, part) for part in parts)


def _parts(path: Path) -> list[zipfile.ZipInfo]:
    """What is in an archive; nothing for other files, and for archives that cannot be read or would fill the VM."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return []
    try:
        parts = [part for part in _archive(path).infolist() if not part.is_dir()]
    except _DAMAGE:
        return []
    except OSError as error:
        if _is_of_the_disk(error):
            raise
        return []
    locked = any(part.flag_bits & _ENCRYPTED for part in parts)
    if locked or len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _LARGEST:
        return []
    return parts


def _archive(path: Path) -> zipfile.ZipFile:
    state = path.stat()
    return _opened(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _opened(path: Path, _modified: int, _size: int) -> zipfile.ZipFile:
    """The archive, open for as long as its parts are read one after the other."""
    return zipfile.ZipFile(path)
