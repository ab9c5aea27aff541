"""The broker's journal: a SQLite file, opened by one process, that survives a crash."""

import sqlite3
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from local_stack.service_bus.records import Change, DeadLetter, Lock, Message, Put, Remove, Seen, Stored
from local_stack.sqlite_files import open_sqlite

_VERSION: Final = 2
# - locked: the message was with a receiver when the row was written.
# - counters: the last sequence number, so that none is given out twice after its message has gone.
_SCHEMA: Final = """
CREATE TABLE messages (
    path TEXT NOT NULL, sequence INTEGER NOT NULL, content BLOB NOT NULL, enqueued_at REAL NOT NULL,
    source_sequence INTEGER NOT NULL, delivery_count INTEGER NOT NULL, locked INTEGER NOT NULL,
    reason TEXT, description TEXT, source TEXT, PRIMARY KEY (path, sequence)
) STRICT;
CREATE TABLE counters (path TEXT PRIMARY KEY, last_sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE seen (
    path TEXT NOT NULL, message_id TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (path, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_until ON seen (until);
"""
_PUT: Final = """
INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path, sequence) DO UPDATE
SET delivery_count = excluded.delivery_count, locked = excluded.locked
"""
_COUNT: Final = """
INSERT INTO counters VALUES (?, ?) ON CONFLICT (path) DO UPDATE
SET last_sequence = max(last_sequence, excluded.last_sequence)
"""


class SqliteJournal:
    """A :class:`~local_stack.service_bus.core.Journal` in a file; ``:memory:`` is one that does not survive.

    Raises ``StateFileError`` when another broker has the file, for ``patience`` seconds, or it is of another format.
    """

    def __init__(self, path: Path | str, *, patience: float = 2.0) -> None:
        self._connection = open_sqlite(path, _SCHEMA, _VERSION, patience=patience)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def write(self, changes: Iterable[Change]) -> None:
        """Keep all of them, in one transaction, or none."""
        with self._connection as db:
            db.execute("BEGIN")
            for change in changes:
                match change:
                    case Put(path, message):
                        db.execute(_PUT, _row(path, message))
                        db.execute(_COUNT, (path, message.sequence))
                    case Remove(path, sequence):
                        db.execute("DELETE FROM messages WHERE path = ? AND sequence = ?", (path, sequence))
                    case Seen(path, message_id, until):
                        db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (path, message_id, until))

    def load(self, path: str) -> Stored:
        """All that was kept for an entity, in order."""
        db = self._connection
        last = db.execute("SELECT last_sequence FROM counters WHERE path = ?", (path,)).fetchone()
        seen = db.execute("SELECT message_id, until FROM seen WHERE path = ? ORDER BY until", (path,))
        rows = db.execute("SELECT * FROM messages WHERE path = ? ORDER BY sequence", (path,))
        return Stored(
            messages=[_message(row) for row in rows],
            last_sequence=last[0] if last else 0,
            seen={row["message_id"]: row["until"] for row in seen},
        )

    def forget_before(self, moment: float) -> None:
        """Drop message ids that are remembered no longer."""
        with self._connection as db:
            db.execute("DELETE FROM seen WHERE until <= ?", (moment,))


def _row(path: str, message: Message) -> tuple[object, ...]:
    dead = message.dead_letter
    return (
        path,
        message.sequence,
        message.content,
        message.enqueued_at,
        message.source_sequence,
        message.delivery_count,
        int(message.lock is not None),
        *((dead.reason, dead.description, dead.source) if dead else (None, None, None)),
    )


def _message(row: sqlite3.Row) -> Message:
    return Message(
        sequence=row["sequence"],
        content=row["content"],
        enqueued_at=row["enqueued_at"],
        source_sequence=row["source_sequence"],
        delivery_count=row["delivery_count"],
        dead_letter=DeadLetter(row["reason"], row["description"], row["source"]) if row["source"] else None,
        lock=Lock(uuid.uuid4(), 0.0) if row["locked"] else None,
    )
