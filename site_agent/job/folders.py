"""Folders that containers write into: how much is in them, and whose they are.

What a container writes is hostile: links, holes, names that are no text, folders that nobody may read, or that lie so
deep in each other that no path leads there. Nothing here follows a link. With a rootless engine the files belong to an
id that only exists in the engine's user namespace, so the same functions run there, see :func:`main`.
"""

import itertools
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_FILES: Final = 200_000
DEEPEST: Final = 64
"""Folders within folders; what lies deeper counts as too many files."""
PACE: Final = 0.5  # seconds between two looks of :func:`main`


@dataclass(frozen=True, slots=True)
class Usage:
    """What is below a folder. ``bytes``: the larger of what a file shows and what it takes, so that holes count."""

    bytes: int = 0
    files: int = 0


def usage(folder: Path | str, *, most_files: int = MOST_FILES) -> Usage:
    """Count what is below a folder; stops counting above ``most_files``. A file with several names counts once.

    With folders deeper than :data:`DEEPEST`, it has as many files as are too many.
    """
    total = files = 0
    seen: set[tuple[int, int]] = set()
    for _, entry, depth in _entries(folder):
        files += 1
        if files > most_files or depth > DEEPEST:
            return Usage(total, max(files, most_files + 1))
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:  # it has gone meanwhile
            continue
        if found.st_nlink > 1:
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        total += max(found.st_size, found.st_blocks * 512)
    return Usage(total, files)


def read_small(path: Path, *, most: int) -> bytes | None:
    """The bytes of a plain file that a container wrote; None when there is none.

    Raises ``ValueError`` for links, pipes and whatever else is no plain file, and for more than ``most`` bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        raise ValueError("it is no plain file") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > most:
        os.close(descriptor)
        raise ValueError("it is no plain file, or too large")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)


def give(folder: Path, user: int) -> None:
    """Make a folder that a container's user may write into, and nobody else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    os.chown(folder, user, user)


def take(folder: Path) -> None:
    """Take everything below a folder back from a container: own it, so that everybody may read it. Links stay links.

    Who gets at it is decided by the folders above. What lies deeper than :data:`DEEPEST` is left as it is.
    """
    owner, group = os.geteuid(), os.getegid()
    os.lchown(folder, owner, group)
    folder.chmod(0o755)
    for directory, entry, _ in _entries(folder):
        os.chown(entry.name, owner, group, dir_fd=directory, follow_symlinks=False)
        if not entry.is_symlink():
            mode = 0o755 if entry.is_dir(follow_symlinks=False) else 0o644
            os.chmod(entry.name, mode, dir_fd=directory)


def remove(folder: Path) -> None:
    """Remove a folder, or what is in its place, with everything below it; no error when there is nothing.

    Folders within it are moved to its top before they are emptied, so that no depth is too deep.
    """
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    folder.chmod(0o700)  # without permissions, which stop anybody but root
    names = (f"{secrets.token_hex(8)}-{number}" for number in itertools.count())  # that nothing there has
    top = os.open(folder, _FOLDER)
    try:
        waiting = _emptied(top, None, names)
        while waiting:
            name = waiting.pop()
            inner = os.open(name, _FOLDER, dir_fd=top)
            try:
                waiting += _emptied(inner, top, names)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    folder.rmdir()


def _emptied(directory: int, top: int | None, names: Iterator[str]) -> list[str]:
    """Remove the files in a folder, and move the folders in it to the top; what those are called there."""
    moved: list[str] = []
    for name in os.listdir(directory):
        if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=directory)
            continue
        os.chmod(name, 0o700, dir_fd=directory)
        if top is not None:
            new = next(names)
            os.rename(name, new, src_dir_fd=directory, dst_dir_fd=top)
            name = new  # noqa: PLW2901
        moved.append(name)
    return moved


_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _entries(folder: Path | str) -> Iterator[tuple[int, "os.DirEntry[str]", int]]:
    """Everything below a folder: the open folder that it is in, itself, and how deep; a folder before what is in it.

    Folders are opened one inside the other, for a path may be too long. Nothing below :data:`DEEPEST` is entered.
    """
    try:
        top = os.open(folder, _FOLDER)
    except OSError:  # there is none, or it may not be read
        return
    try:
        yield from _below(top, 1)
    finally:
        os.close(top)


def _below(directory: int, depth: int) -> Iterator[tuple[int, "os.DirEntry[str]", int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            yield directory, entry, depth
            if depth > DEEPEST or not entry.is_dir(follow_symlinks=False):
                continue
            try:
                inner = os.open(entry.name, _FOLDER, dir_fd=directory)
            except OSError:  # it has gone meanwhile, or may not be read
                continue
            try:
                yield from _below(inner, depth + 1)
            finally:
                os.close(inner)


def main(arguments: Sequence[str]) -> int:
    """``give USER FOLDER...``, ``take FOLDER...``, ``remove FOLDER...`` or ``watch FOLDER...``; for rootless engines.

    ``watch`` writes a line with bytes and files of each folder, again and again until nobody reads.
    """
    command, *rest = arguments
    if command == "give":
        for folder in rest[1:]:
            give(Path(folder), int(rest[0]))
    elif command == "watch":
        _watch(rest)
    else:
        for folder in rest:
            (take if command == "take" else remove)(Path(folder))
    return 0


def _watch(folders: Iterable[str]) -> None:
    names = list(folders)
    while True:
        found = [usage(name) for name in names]
        sys.stdout.write(" ".join(f"{each.bytes} {each.files}" for each in found) + "\n")
        sys.stdout.flush()
        time.sleep(PACE)
