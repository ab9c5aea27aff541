"""The ledger's tables in memory, with the semantics of Azure's, so that tests run the real ledger without sockets.

``tests/support/table_contract.py`` holds both to one contract.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.clients.ledger import Ledger
from shared.clients.ledger.tables import MOST_CHANGES, Change, Delete, Insert, Row, Update

LONGEST_TEXT = 32 * 1024  # characters of one value
_FORBIDDEN = frozenset("/\\#?") | {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}


def memory_ledger() -> Ledger:
    """A ledger of its own, in memory."""
    return Ledger.over(MemoryTables())


@dataclass
class MemoryTable:
    """A :class:`shared.clients.ledger.tables.Table`.

    ``before`` is called with the name of each operation before it is done; what it raises, the operation raises.
    ``answers_get_lost``: every change is made, its answer lost, and the change tried again, as the SDK does.
    ``requests``: how many were made; ``rows_read``: how many rows their answers held, as far as somebody read them.
    """

    before: Callable[[str], None] = lambda _operation: None
    answers_get_lost: bool = False
    requests: int = 0
    rows_read: int = 0
    _rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    _keys: dict[str, list[str]] = field(default_factory=dict)  # of each partition, in order
    _writes: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def get(self, partition: str, key: str) -> Row | None:
        with self._asked("get"):
            row = self._rows.get((partition, key))
            self.rows_read += bool(row)
            return _copy(row) if row else None

    def rows(
        self,
        partition: str,
        start: str = "",
        end: str | None = None,
        *,
        where: Mapping[str, str] | None = None,
        select: Sequence[str] = (),
        page: int | None = None,
    ) -> Iterator[Row]:
        with self._asked("rows"):
            keys = self._keys.get(partition, [])
            last = len(keys) if end is None else bisect_left(keys, end)
            there = [self._rows.get((partition, key)) for key in keys[bisect_left(keys, start) : last]]
        for row in there:
            if row is not None and all(row.values.get(column) == text for column, text in (where or {}).items()):
                self.rows_read += 1
                kept = {name: value for name, value in row.values.items() if not select or name in select}
                yield replace(row, values=kept)

    def insert(self, *rows: Row) -> bool:
        return self._changed("insert", [Insert(row) for row in rows]) is None

    def update(self, *rows: Row) -> bool:
        return self._changed("update", [Update(row) for row in rows]) is None

    def put(self, row: Row) -> None:
        with self._asked("put"):
            kept = self._rows.get((row.partition, row.key))
            self._write(row, (kept.values if kept else {}) | row.values)

    def delete(self, row: Row) -> bool:
        with self._asked("delete"):
            kept = self._rows.get((row.partition, row.key))
            if kept is not None and row.etag and kept.etag != row.etag:
                return False
            self._remove(row)
            return True

    def transact(self, *changes: Change) -> int | None:
        return self._changed("transact", changes)

    def _changed(self, operation: str, changes: Sequence[Change]) -> int | None:
        _check_transaction(changes)
        with self._asked(operation):
            if self.answers_get_lost:
                self._attempted(changes)
            return self._attempted(changes)

    def _attempted(self, changes: Sequence[Change]) -> int | None:
        with self._lock:
            for position, change in enumerate(changes):
                if not self._holds(change):
                    return position
            for change in changes:
                self._make(change)
            return None

    def _holds(self, change: Change) -> bool:
        kept = self._rows.get((change.row.partition, change.row.key))
        if isinstance(change, Insert):
            return kept is None
        return kept is not None and (not change.row.etag or kept.etag == change.row.etag)

    def _make(self, change: Change) -> None:
        row = change.row
        if isinstance(change, Delete):
            self._remove(row)
        else:
            kept = {} if isinstance(change, Insert) else self._rows[row.partition, row.key].values
            self._write(row, kept | row.values)

    def _write(self, row: Row, values: dict[str, Any]) -> None:
        _check_row(row)
        self._writes += 1
        keys = self._keys.setdefault(row.partition, [])
        place = bisect_left(keys, row.key)
        if keys[place : place + 1] != [row.key]:
            keys.insert(place, row.key)
        self._rows[row.partition, row.key] = replace(row, values=dict(values), etag=f'W/"{self._writes}"')

    def _remove(self, row: Row) -> None:
        if self._rows.pop((row.partition, row.key), None) is not None:
            keys = self._keys[row.partition]
            del keys[bisect_left(keys, row.key)]

    def _asked(self, operation: str) -> "threading.RLock":
        self.before(operation)
        self.requests += 1
        return self._lock


class MemoryTables:
    """A :class:`shared.clients.ledger.tables.TableSource`; each word is one table, also for several ledgers over it."""

    def __init__(self) -> None:
        self.tables: dict[str, MemoryTable] = {}

    def table(self, word: str) -> MemoryTable:
        return self.tables.setdefault(word, MemoryTable())

    def close(self) -> None:
        """Nothing to close."""


def _copy(row: Row) -> Row:
    return replace(row, values=dict(row.values))


def _check_transaction(changes: Sequence[Change]) -> None:
    """What the service answers with 400."""
    if len(changes) > 1:
        rows = [change.row for change in changes]
        assert len(rows) <= MOST_CHANGES, f"{len(rows)} changes in one transaction"
        assert len({row.partition for row in rows}) == 1, "a transaction over several partitions"
        assert len({row.key for row in rows}) == len(rows), "a transaction with a row twice"


def _check_row(row: Row) -> None:
    for key in (row.partition, row.key):
        assert len(key) <= 1024, f"a key of {len(key)} characters"
        assert _FORBIDDEN.isdisjoint(key), f"a key that the service refuses: {key!r}"
    for name, value in row.values.items():
        assert isinstance(value, str | bool | int), f"column {name} holds a {type(value).__name__}"
        if isinstance(value, str):
            assert len(value.encode("utf-16-le")) // 2 <= LONGEST_TEXT, f"column {name} holds {len(value)} characters"
        else:
            assert -(2**31) <= value < 2**31, f"column {name} holds the large number {value}"
