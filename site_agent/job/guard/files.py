"""Walk a folder that a container wrote, without following what it may have planted there.

Directories are opened one inside the other and never by a path, so that nothing outside of the folder is reached.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from site_agent.job.guard.spans import Span

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_MOST_DIGITS: Final = 6
_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a folder. ``name``: with ``/`` between the parts; ``trouble``: why it cannot be taken, or empty."""

    name: str
    size: int
    trouble: str
    _directory: int
    _node: tuple[int, int]

    def open(self) -> int:
        """A descriptor of a file without trouble, while the walk has not gone on; ``OSError`` if it was replaced."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.name.rpartition("/")[2], flags, dir_fd=self._directory)
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != self._node or not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise OSError("it was replaced while it was opened")
        return descriptor


def plain(name: str) -> bool:
    """Whether a name is that of a file, and not a text in itself: short, ASCII, with few digits."""
    parts = name.split("/")
    digits = sum(letter.isdigit() for letter in name)
    return digits <= _MOST_DIGITS and all(_NAME.fullmatch(part) and ".." not in part for part in parts)


def walk(folder: Path, *, most: int) -> Iterator[Entry]:
    """Everything in a folder that is not a folder, in the order of names; stops after ``most`` entries."""
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for number, entry in enumerate(_walk(root, "", 0)):
            if number >= most:
                yield Entry("", 0, f"there are more than {most} files", root, (0, 0))
                return
            yield entry
    finally:
        os.close(root)


def _walk(directory: int, prefix: str, depth: int) -> Iterator[Entry]:
    for name in sorted(os.listdir(directory)):
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except OSError:
            yield Entry(prefix + name, 0, "it cannot be read", directory, (0, 0))
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _inside(directory, prefix, name, depth)
        else:
            node = (found.st_dev, found.st_ino)
            yield Entry(prefix + name, found.st_size, _trouble(directory, name, found), directory, node)


def _inside(directory: int, prefix: str, name: str, depth: int) -> Iterator[Entry]:
    if depth >= _DEEPEST:
        yield Entry(prefix + name, 0, "it lies too deep", directory, (0, 0))
        return
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        yield Entry(prefix + name, 0, "it cannot be read", directory, (0, 0))
        return
    try:
        yield from _walk(inner, f"{prefix}{name}/", depth + 1)
    finally:
        os.close(inner)


_KINDS: Final = {
    stat.S_IFLNK: "it is a symbolic link",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
}


def _trouble(directory: int, name: str, found: os.stat_result) -> str:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        return _KINDS.get(kind, "it is not a file")
    if found.st_nlink != 1:
        return "it is a hard link: the same file has another name elsewhere"
    return "it is sparse: parts of it were never written" if _is_sparse(directory, name, found.st_size) else ""


def _is_sparse(directory: int, name: str, size: int) -> bool:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False  # who opens it to read will see the same
    try:
        return size > 0 and os.lseek(descriptor, 0, os.SEEK_HOLE) < size
    except OSError:
        return False  # a file system that does not know holes
    finally:
        os.close(descriptor)


def digest(span: Span) -> str:
    """SHA-256 of the bytes, in hexadecimal."""
    found = hashlib.sha256()
    for chunk in span.chunks():
        found.update(chunk)
    return found.hexdigest()


def small_file(folder: Path, name: str, *, most: int) -> bytes | None:
    """The bytes of a regular file right in a folder; None when there is none, ``ValueError`` when it is too large."""
    for entry in walk(folder, most=100_000) if folder.is_dir() else ():
        if entry.name == name and not entry.trouble:
            if entry.size > most:
                raise ValueError(f"{name} has more than {most} bytes")
            descriptor = entry.open()
            try:
                return os.read(descriptor, most)
            finally:
                os.close(descriptor)
    return None
