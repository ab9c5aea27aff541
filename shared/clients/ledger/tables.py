"""The operations that the ledger needs of a table: few, each atomic, each with a plain value as its answer.

Every write states its precondition: that a row is new, or unchanged since it was read. A failed precondition is
returned as a value; the caller reads again and decides. Implementations: Azure Tables (``azure_tables``), and memory in
tests.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

MOST_CHANGES = 100  # in one transaction
# https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions

MOST_RACES = 8  # conflicts in a row before the caller gets a transient error

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Row:
    """One row; values are texts, small numbers and booleans. ``etag`` is empty for a row that was not read."""

    partition: str
    key: str
    values: dict[str, Any]
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a row that must be new."""

    row: Row


@dataclass(frozen=True, slots=True)
class Update:
    """Merge values into a row that must still be the one that was read."""

    row: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row that must still be the one that was read."""

    row: Row


Change = Insert | Update | Delete


class Table(Protocol):
    """One table."""

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None."""

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
        """The rows of a partition with ``start <= key < end``, in order of their keys, fetched page by page.

        ``where``: columns that must hold these texts; ``select``: the columns to fetch (default all); ``page``: how
        many rows a request brings, for callers that want only a few.
        """

    def insert(self, *rows: Row) -> bool:
        """Add all rows, or none and say False because one of them was there already. All in one partition."""

    def update(self, *rows: Row) -> bool:
        """Merge values into rows that were read, or change none and say False because one was changed or removed."""

    def put(self, row: Row) -> None:
        """Merge values into the row, or add it, whatever is there."""

    def delete(self, row: Row) -> bool:
        """Remove a row that was read; False when it was changed since. A row that is gone counts as removed.

        A row without an etag is removed whatever it holds.
        """

    def transact(self, *changes: Change) -> int | None:
        """Make all changes, in one partition, and return None; or make none and return the one that did not hold.

        It is ``UNKNOWN`` when the service does not say which.

        A call is retried when its answer was lost, so a failed precondition may be due to an earlier try of this very
        call: compare the content.
        """


class TableSource(Protocol):
    """Where the ledger's tables come from."""

    def table(self, word: str) -> Table:
        """The table of that name."""

    def close(self) -> None:
        """Close the connections."""
