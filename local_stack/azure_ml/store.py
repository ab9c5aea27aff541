"""The workspace's state: JSON documents by kind and id in one SQLite file. Every write is durable when it returns."""

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Store:
    """Documents by kind and id. Small and simple on purpose: a laptop's workspace has hundreds, not millions."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents (kind TEXT, id TEXT, n INTEGER, body TEXT, PRIMARY KEY (kind, id))"
        )
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def get(self, kind: str, key: str) -> Document | None:
        """The document, or None."""
        with self._lock:
            row = self._db.execute("SELECT body FROM documents WHERE kind = ? AND id = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def add(self, kind: str, key: str, body: Document) -> bool:
        """Insert; False when the id is taken. The only way to create, so creation is atomic."""
        with self._lock:
            number = self._db.execute("SELECT COALESCE(MAX(n), 0) + 1 FROM documents WHERE kind = ?", (kind,))
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO documents VALUES (?, ?, ?, ?)",
                (kind, key, number.fetchone()[0], json.dumps(body)),
            )
        return cursor.rowcount == 1

    def put(self, kind: str, key: str, body: Document) -> None:
        """Insert or replace."""
        with self._lock:
            if not self.add(kind, key, body):
                self._write(kind, key, body)

    def change(self, kind: str, key: str, edit: Callable[[Document], None]) -> Document | None:
        """Read, edit in place and write back as one step; None when it is not there."""
        with self._lock:
            body = self.get(kind, key)
            if body is None:
                return None
            edit(body)
            self._write(kind, key, body)
        return body

    def all(self, kind: str, prefix: str = "") -> list[Document]:
        """Every document of a kind whose id starts with ``prefix``, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM documents WHERE kind = ? AND substr(id, 1, ?) = ? ORDER BY n",
                (kind, len(prefix), prefix),
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def _write(self, kind: str, key: str, body: Document) -> None:
        self._db.execute("UPDATE documents SET body = ? WHERE kind = ? AND id = ?", (json.dumps(body), kind, key))
