"""The file of a task hub: its schema, its one connection and its one owner."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Final

from local_stack.functions_host.durable.interfaces import HubInUseError
from local_stack.sqlite_files import open_sqlite

_SCHEMA_VERSION: Final = 1

# - history: one row a turn, a JSON array of its events; that is a fifth of the rows of one row an event.
# - inbox: what waits for a turn. Rows with leads = 1 (ExecutionStarted and events carried over by continue-as-new) go
#   before whatever came in meanwhile. execution_id is set where a message is meant for one execution only.
# - AUTOINCREMENT, so that the id of an activity dropped while it runs is never given to another one.
_SCHEMA: Final = """
CREATE TABLE instances (
    instance_id TEXT PRIMARY KEY, name TEXT NOT NULL, execution_id TEXT NOT NULL, status TEXT NOT NULL,
    input TEXT, output TEXT, custom_status TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0, parent TEXT
) STRICT;
CREATE TABLE history (
    instance_id TEXT NOT NULL REFERENCES instances ON DELETE CASCADE, turn INTEGER NOT NULL, events TEXT NOT NULL,
    PRIMARY KEY (instance_id, turn)
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox (
    row INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL REFERENCES instances ON DELETE CASCADE,
    execution_id TEXT, leads INTEGER NOT NULL DEFAULT 0, event TEXT NOT NULL
) STRICT;
CREATE INDEX inbox_of_instance ON inbox (instance_id);
CREATE TABLE activities (
    work_id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL REFERENCES instances ON DELETE CASCADE,
    execution_id TEXT NOT NULL, task_id INTEGER NOT NULL, name TEXT NOT NULL, input TEXT NOT NULL
) STRICT;
CREATE INDEX activities_of_instance ON activities (instance_id);
CREATE TABLE timers (
    instance_id TEXT NOT NULL REFERENCES instances ON DELETE CASCADE, timer_id INTEGER NOT NULL, fire_at TEXT NOT NULL,
    PRIMARY KEY (instance_id, timer_id)
) STRICT, WITHOUT ROWID;
"""


class Database:
    """One connection, used by one thread at a time, on a file that this process alone may open.

    Raises :class:`HubInUseError` when another process has it, and ``StateFileError`` when it is of another format.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._owner = _take_ownership(path)
        try:
            self._connection = open_sqlite(path, _SCHEMA, _SCHEMA_VERSION, pragmas=["foreign_keys = ON"])
        except BaseException:
            os.close(self._owner)
            raise
        self._lock = RLock()

    def close(self) -> None:
        """Close the file and give it up."""
        with self._lock:
            self._connection.close()
        os.close(self._owner)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: committed at the end of the block, rolled back when it raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Statements that see one state, because nobody else gets in between."""
        with self._lock:
            yield self._connection


def _take_ownership(path: Path) -> int:
    """Lock the file's neighbour. The kernel drops the lock with the process, however that ends."""
    lock_file = path.with_name(path.name + ".lock")
    handle = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(handle, 32).decode().strip() or "unknown"
        os.close(handle)
        raise HubInUseError(
            f"Another Functions host (process {owner}) is using the task hub '{path}'. Stop it first, or give this one "
            "another file: two hosts on one task hub would run everything twice."
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, f"{os.getpid()}\n".encode())
    return handle
