"""Persistent state: keys, subscriptions, events being delivered, counters."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local_stack.event_grid.events import Event
from local_stack.event_grid.models import Schema, Subscription
from local_stack.sqlite_files import open_sqlite

_VERSION: Final = 2
# - deliveries: one row per copy that is still to be delivered.
_SCHEMA: Final = """
CREATE TABLE keys (name TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT;
CREATE TABLE subscriptions (name TEXT PRIMARY KEY, definition TEXT NOT NULL, agreed INTEGER NOT NULL) STRICT;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, schema TEXT NOT NULL, body TEXT NOT NULL, published_at REAL NOT NULL
) STRICT;
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT NULL, event INTEGER NOT NULL REFERENCES events (id),
    due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX deliveries_due ON deliveries (subscription, due, id);
CREATE INDEX deliveries_event ON deliveries (event);
CREATE TABLE counters (
    subscription TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (subscription, name)
) STRICT, WITHOUT ROWID;
"""
_DUE: Final = """
SELECT deliveries.*, schema, body, published_at FROM deliveries JOIN events ON events.id = deliveries.event
WHERE subscription = ? AND due <= ? ORDER BY due, deliveries.id LIMIT ?
"""
_COUNT: Final = """
INSERT INTO counters VALUES (?, ?, 1) ON CONFLICT (subscription, name) DO UPDATE SET value = value + 1
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One copy of an event on its way to one subscription."""

    id: int
    subscription: str
    event_number: int
    event: Event
    published_at: float
    due: float
    attempts: int


class Store:
    """A SQLite file that one process has open. Every change is durable when its method, or transaction, has ended.

    Raises ``StateFileError`` when another process has the file or it is of another format.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_sqlite(path, _SCHEMA, _VERSION)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are kept, or none. Not to be left for another task (no ``await`` inside)."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    def key(self, name: str, make: Callable[[], str]) -> str:
        """The key of this name, made at the first time."""
        self._db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (name, make()))
        return str(self._db.execute("SELECT key FROM keys WHERE name = ?", (name,)).fetchone()["key"])

    def put_subscription(self, subscription: Subscription, *, agreed: bool) -> None:
        """Keep a definition, and whether its endpoint has agreed to it."""
        row = (subscription.name, subscription.model_dump_json(by_alias=True), agreed)
        self._db.execute("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?)", row)

    def subscriptions(self) -> list[tuple[Subscription, bool]]:
        """Every definition, and whether its endpoint has agreed."""
        rows = self._db.execute("SELECT definition, agreed FROM subscriptions ORDER BY name")
        return [(Subscription.model_validate_json(row["definition"]), bool(row["agreed"])) for row in rows]

    def remove_subscription(self, name: str) -> None:
        """Forget a subscription with all that was on its way to it."""
        with self.transaction():
            for table, column in (
                ("subscriptions", "name"),
                ("deliveries", "subscription"),
                ("counters", "subscription"),
            ):
                self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608  names from above
            self._db.execute("DELETE FROM events WHERE id NOT IN (SELECT event FROM deliveries)")

    def add_event(self, event: Event, published_at: float) -> int:
        """Keep an event; its number. It goes when its last delivery has gone."""
        row = (event.schema, json.dumps(event.body), published_at)
        return int(self._db.execute("INSERT INTO events VALUES (NULL, ?, ?, ?)", row).lastrowid or 0)

    def add_delivery(self, subscription: str, event_number: int, due: float) -> None:
        """Put one copy of an event on its way."""
        row = (subscription, event_number, due)
        self._db.execute("INSERT INTO deliveries (subscription, event, due) VALUES (?, ?, ?)", row)

    def due(self, subscription: str, now: float, limit: int) -> list[Delivery]:
        """What is to be done now, the longest due first."""
        return [_delivery(row) for row in self._db.execute(_DUE, (subscription, now, limit))]

    def next_due(self, subscription: str, after: float) -> float | None:
        """When there will be more to do."""
        query = "SELECT min(due) AS due FROM deliveries WHERE subscription = ? AND due > ?"
        row = self._db.execute(query, (subscription, after)).fetchone()
        return None if row["due"] is None else float(row["due"])

    def update(self, delivery: Delivery) -> None:
        """Keep what an attempt changed."""
        row = (delivery.due, delivery.attempts, delivery.id)
        self._db.execute("UPDATE deliveries SET due = ?, attempts = ? WHERE id = ?", row)

    def finish(self, delivery: Delivery) -> None:
        """Forget a delivery, and its event with the last one."""
        self._db.execute("DELETE FROM deliveries WHERE id = ?", (delivery.id,))
        self.forget_unless_awaited(delivery.event_number)

    def forget_unless_awaited(self, event_number: int) -> None:
        """Forget an event that nobody is to get."""
        query = "DELETE FROM events WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = ?1)"
        self._db.execute(query, (event_number,))

    def count(self, subscription: str, name: str) -> int:
        """Add one to a counter; its new value."""
        self._db.execute(_COUNT, (subscription, name))
        return self.counters(subscription)[name]

    def counters(self, subscription: str) -> dict[str, int]:
        """A subscription's counters, those above zero."""
        rows = self._db.execute("SELECT name, value FROM counters WHERE subscription = ?", (subscription,))
        return {row["name"]: row["value"] for row in rows}

    def pending(self, subscription: str) -> int:
        """Copies that are on their way."""
        query = "SELECT count(*) AS n FROM deliveries WHERE subscription = ?"
        return int(self._db.execute(query, (subscription,)).fetchone()["n"])


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        id=row["id"],
        subscription=row["subscription"],
        event_number=row["event"],
        event=Event(Schema(row["schema"]), json.loads(row["body"])),
        published_at=row["published_at"],
        due=row["due"],
        attempts=row["attempts"],
    )
