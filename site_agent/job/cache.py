"""Blobs that were transferred once are kept on the VM's disk, so that a run transfers only what is new.

An entry is named after where its bytes are from and which version they are, and is there only as a whole: it was
checked and written to the disk before it got its name. So it may be killed at any point, and several jobs may use it at
once.

- A job works in a *session*, a folder that it holds a lock on. What a killed job has left is removed
  by its guardian, or by the next job.
- An entry *is held* while it has a second name: in a session, or in the folder of a run, where it is a hard link. Such
  an entry is never removed; that would free nothing, and the next run would transfer it again.
- The total stays below a limit: entries and what is being transferred. The entries that were used longest ago go first.
  What does not fit even then is transferred for its run alone.

::

    entries/ab/ab01...   a blob; read-only, modified when it was last used
    notes/ab/ab01...     what is known of it, a line; gone when the entry is
    sessions/x7f3/       names of what a job holds, what it is writing, and how many bytes it may add (``reserved``)
    lock                 for whoever looks at all entries
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from site_agent.job.failures import OutsideError

_READ_ONLY: Final = 0o444
_RESERVED: Final = "reserved"
_NO_LINKS: Final = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP}  # another file system, or one without links


class NoRoomError(OutsideError):
    """The VM's disk has too little room for what a run needs."""


@dataclass(frozen=True, slots=True)
class Item:
    """A blob that a run needs. ``key``: see :func:`key_of`; ``size`` in bytes."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    size: int
    used: int
    held: bool


def key_of(account: str, container: str, name: str, etag: str) -> str:
    """The name of an entry: SHA-256 in hex of where its bytes are from and which version they are."""
    return hashlib.sha256(json.dumps([account, container, name, etag]).encode("ascii")).hexdigest()


class Cache:
    """A folder with entries of ``most_bytes`` in total. It may be removed whenever no job runs."""

    def __init__(self, root: Path, most_bytes: int) -> None:
        self.root = root
        self.most_bytes = most_bytes
        self.entries = root / "entries"
        self.notes = root / "notes"
        self.sessions = root / "sessions"
        for folder in (root, self.entries, self.notes, self.sessions):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def session(self) -> Iterator["Session"]:
        """What a job does with the cache; holds what it asked for until the end."""
        with self._alone():
            self._remove_dead_sessions()
            folder = Path(tempfile.mkdtemp(dir=self.sessions))
            alive = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(alive, fcntl.LOCK_EX)  # at once: nobody else looks at sessions now
        try:
            yield Session(self, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(alive)

    def remove_dead_sessions(self) -> None:
        """Remove what killed jobs left: data that are in no run's folder, and that the cache may have no room for."""
        with self._alone():
            self._remove_dead_sessions()

    def used(self) -> int:
        """Bytes of all entries."""
        with self._alone():
            return sum(entry.size for entry in self._scan())

    def path(self, key: str) -> Path:
        """Where an entry is, or would be."""
        return self.entries / key[:2] / key

    def note(self, key: str, line: str) -> None:
        """Keep a line about an entry for as long as the entry is kept; none when it is not there."""
        note = self.notes / key[:2] / key
        with self._alone():
            if self.path(key).exists():
                note.parent.mkdir(mode=0o700, exist_ok=True)
                note.write_text(f"{line}\n", encoding="ascii")

    def noted(self, key: str) -> str:
        """The line about an entry; empty when there is none, or only a part of one."""
        try:
            line = (self.notes / key[:2] / key).read_bytes()
        except FileNotFoundError:
            return ""
        return line[:-1].decode("ascii", "replace") if line.endswith(b"\n") else ""

    def take(self, items: Iterable[Item], folder: Path) -> list[Item]:
        """Hold what is there by giving it a name in a session's folder; returns what is not there."""
        with self._alone():
            return [item for item in items if not self._hold(item, folder)]

    def reserve(self, items: Iterable[Item], folder: Path) -> set[str]:
        """Make room for what a session is going to add; returns the keys of what there is room for.

        Raises :class:`NoRoomError` when the disk cannot take all of them, in the cache or not.
        """
        missing = list(items)
        wanted = sum(item.size for item in missing)
        with self._alone():
            left = self.most_bytes - self._reserved_by_others(folder)
            room = self._room_made(left, wanted)
            free = shutil.disk_usage(self.root).free
            fitting: set[str] = set()
            for item in missing:
                if item.size <= room:
                    room -= item.size
                    fitting.add(item.key)
            reserved = sum(item.size for item in missing if item.key in fitting)
            (folder / _RESERVED).write_text(str(reserved), encoding="ascii")
        if free < wanted:
            remedy = "free some space on it, or lower limits.cache in the site's policy"
            raise NoRoomError(f"the VM's disk has {free:,} bytes free, and the run's new data are {wanted:,}; {remedy}")
        return fitting

    def _hold(self, item: Item, folder: Path) -> bool:
        entry, held = self.path(item.key), folder / item.key
        try:
            held.hardlink_to(entry)
        except FileNotFoundError:
            return False
        if held.stat().st_size != item.size:  # no job leaves such a one; a broken disk may
            held.unlink()
            entry.unlink()
            return False
        os.utime(held)
        return True

    def _room_made(self, most: int, wanted: int) -> int:
        """Remove entries that nobody holds, as many as needed, from the one used longest ago; returns what is free.

        They make room on the disk too, which others may have filled.
        """
        entries = sorted(self._scan(), key=lambda entry: (entry.used, entry.path))
        room = most - sum(entry.size for entry in entries)
        short = wanted - shutil.disk_usage(self.root).free
        for entry in entries:
            if room >= wanted and short <= 0:
                break
            if not entry.held:
                path = Path(entry.path)
                (self.notes / path.parent.name / path.name).unlink(missing_ok=True)
                path.unlink()
                room += entry.size
                short -= entry.size
        return room

    def _scan(self) -> Iterator[_Entry]:
        for shard in os.scandir(self.entries):
            for entry in os.scandir(shard.path):
                found = entry.stat(follow_symlinks=False)
                yield _Entry(entry.path, found.st_size, found.st_mtime_ns, found.st_nlink > 1)

    def _reserved_by_others(self, own: Path) -> int:
        total = 0
        for folder in self.sessions.iterdir():
            if folder != own:
                # It has reserved nothing, or has ended; of a killed one, or on a full disk, the number may be missing.
                with suppress(FileNotFoundError, ValueError):
                    total += int((folder / _RESERVED).read_text(encoding="ascii"))
        return total

    def _remove_dead_sessions(self) -> None:
        for folder in self.sessions.iterdir():
            with suppress(FileNotFoundError):  # it has ended meanwhile
                dead = _locked(folder)
                if dead is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(dead)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.root / "lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Session:
    """What one job does with the cache. ``reserve`` comes before ``add``; different items may be added side by side."""

    def __init__(self, cache: Cache, folder: Path) -> None:
        self._cache = cache
        self._folder = folder
        self._fitting: set[str] = set()

    def take(self, items: Iterable[Item]) -> list[Item]:
        """Hold what the cache has of these; returns the others, which must be added."""
        return self._cache.take(items, self._folder)

    def reserve(self, items: Iterable[Item]) -> None:
        """Make room for what is going to be added; raises :class:`NoRoomError` when the disk has none."""
        self._fitting = self._cache.reserve(items, self._folder)

    def add(self, item: Item, fill: Callable[[BinaryIO], object]) -> None:
        """Hold a new item. ``fill`` writes it, and raises an error when it is not whole; nothing is kept then."""
        part = self._folder / f"{item.key}.part"
        try:
            with part.open("wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())  # or a machine that fails now would have the name, and not the bytes
                os.fchmod(file.fileno(), _READ_ONLY)
            held = part.rename(self._folder / item.key)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        if item.key in self._fitting:
            entry = self._cache.path(item.key)
            entry.parent.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileExistsError):  # another job was first, with the same bytes
                entry.hardlink_to(held)

    def place(self, item: Item, target: Path) -> None:
        """Give an item its place in the folder of a run, read-only: as a hard link, or else as a copy."""
        held = self._folder / item.key
        try:
            target.hardlink_to(held)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copyfile(held, target)
            target.chmod(_READ_ONLY)
        held.unlink()


def _locked(folder: Path) -> int | None:
    """A descriptor with the lock of a folder, which its process holds to its end; None when another has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
