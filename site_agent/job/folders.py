"""Folders that containers write into: how much is in them, and whose they are.

What a container writes is hostile: links, holes, names that are no text, folders that nobody may read. Nothing here
follows a link. With a rootless engine the files belong to an id that only exists in the engine's user namespace, so the
same functions run there, see :func:`main`.
"""

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_FILES: Final = 200_000
PACE: Final = 0.5  # seconds between two looks of :func:`main`


@dataclass(frozen=True, slots=True)
class Usage:
    """What is below a folder. ``bytes``: the larger of what a file shows and what it takes, so that holes count."""

    bytes: int = 0
    files: int = 0


def usage(folder: Path | str, *, most_files: int = MOST_FILES) -> Usage:
    """Count what is below a folder; stops counting above ``most_files``. A file with several names counts once."""
    total = files = 0
    seen: set[tuple[int, int]] = set()
    for entry in _entries(folder):
        files += 1
        if files > most_files:
            break
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

    Who gets at it is decided by the folders above.
    """
    owner, group = os.geteuid(), os.getegid()
    os.lchown(folder, owner, group)
    folder.chmod(0o755)
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                os.lchown(entry.path, owner, group)
                if not entry.is_symlink():
                    Path(entry.path).chmod(0o755 if entry.is_dir(follow_symlinks=False) else 0o644)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def remove(folder: Path) -> None:
    """Remove a folder, or what is in its place, with everything below it; no error when there is nothing."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
        return
    if folder.exists():
        shutil.rmtree(folder, onerror=_once_more)


def _once_more(_: object, path: str, __: object) -> None:
    """Of a folder without permissions, which stop anybody but root."""
    parent = Path(path).parent
    for place in (parent, Path(path)):
        if place.exists() and not place.is_symlink():
            place.chmod(0o700)
    if Path(path).is_dir() and not Path(path).is_symlink():
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)


def _entries(folder: Path | str) -> Iterator["os.DirEntry[str]"]:
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:  # it has gone meanwhile, or may not be read
            continue


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
