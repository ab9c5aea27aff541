"""Azure Tables with the few operations the ledger needs, each one atomic, each answer a plain value.

Every write says what it expects: that a row is new, or that it is still the one that was read. What did not hold
comes back as ``False``; the caller reads again and decides.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableClient, TableServiceClient, TableTransactionError, UpdateMode

from shared.clients.storage_errors import translated
from shared.errors import Code, PermanentError, TransientError

SETTING = "AzureWebJobsStorage"

# The SDK's default of ten tries sleeps for minutes inside one call; the durable retry policy does that better.
_CALL = {
    "retry_total": 3,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
    "connection_timeout": 5,
    "read_timeout": 30,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One entity. ``etag`` is empty for a row that was not read from the service."""

    partition: str
    key: str
    values: dict[str, Any]
    etag: str = ""

    def entity(self) -> dict[str, Any]:
        """The form in which the SDK takes it."""
        return {"PartitionKey": self.partition, "RowKey": self.key} | self.values


class Table:
    """One table, created on first use."""

    def __init__(self, client: TableClient, name: str) -> None:
        self._client = client
        self._what = f"the ledger's table {name}"
        self._exists = False
        self._creating = threading.Lock()

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None."""
        with translated(self._what, SETTING):
            self._ensure()
            try:
                return _row(self._client.get_entity(partition, key))
            except ResourceNotFoundError:
                return None

    def insert(self, *rows: Row) -> bool:
        """Add all rows, or none and say False because one of them was there already. All in one partition.

        The SDK tries again when an answer is lost, so False may also mean that an earlier try of this very call
        came through: tell by the content.
        """
        with translated(self._what, SETTING):
            self._ensure()
            try:
                if len(rows) == 1:
                    self._client.create_entity(rows[0].entity())
                else:
                    self._client.submit_transaction([("create", row.entity()) for row in rows])
            except ResourceExistsError:
                return False
            except ResourceNotFoundError as error:
                raise self._gone() from error
            except TableTransactionError as error:
                if error.status_code == 409:
                    return False
                if error.status_code == 404:
                    raise self._gone() from error
                raise
            return True

    def put(self, row: Row) -> None:
        """Merge values into the row, or add it, whatever is there."""
        with translated(self._what, SETTING):
            self._ensure()
            try:
                self._client.upsert_entity(row.entity(), mode=UpdateMode.MERGE)
            except ResourceNotFoundError as error:
                raise self._gone() from error

    def update(self, *rows: Row) -> bool:
        """Merge values into rows that were read, or change none and say False because one was changed or removed."""
        with translated(self._what, SETTING):
            try:
                if len(rows) == 1:
                    self._client.update_entity(rows[0].entity(), UpdateMode.MERGE, **_unchanged(rows[0]))
                else:
                    self._client.submit_transaction([("update", row.entity(), _unchanged(row)) for row in rows])
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
            except TableTransactionError as error:
                if error.status_code in {404, 412}:
                    return False
                raise
            return True

    def delete(self, row: Row) -> bool:
        """Remove a row that was read; False when it was changed since. A row that is gone counts as removed."""
        with translated(self._what, SETTING):
            try:
                self._client.delete_entity(row.partition, row.key, **_unchanged(row))
            except ResourceModifiedError:
                return False
            return True

    def rows(
        self, partition: str, start: str, end: str, *, where: str = "", select: Sequence[str] = ()
    ) -> Iterator[Row]:
        """The rows of a partition with ``start <= key < end``, in order of their keys, page by page.

        ``where`` is a further OData condition; ``select`` names the columns to fetch (default all).
        """
        condition = "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end"
        if where:
            condition += f" and {where}"
        bounds = {"partition": partition, "start": start, "end": end}
        columns = ["PartitionKey", "RowKey", *select] if select else None
        with translated(self._what, SETTING):
            self._ensure()
            found = iter(self._client.query_entities(condition, parameters=bounds, select=columns))
        while True:
            with translated(self._what, SETTING):
                entity = next(found, None)
            if entity is None:
                return
            yield _row(entity)

    def _gone(self) -> TransientError:
        # An insert finds nothing only when the table itself is missing: it was removed under a running app.
        self._exists = False
        return TransientError(f"{self._what} was removed; it is created again on the next try")

    def _ensure(self) -> None:
        if self._exists:
            return
        with self._creating:
            if not self._exists:
                with suppress(ResourceExistsError):  # the usual case: an earlier life of this app made it
                    self._client.create_table()
                self._exists = True


class Tables:
    """The ledger's tables in one storage account; their names are ``prefix`` and a word."""

    def __init__(self, connection_string: str, prefix: str) -> None:
        try:
            self._service = TableServiceClient.from_connection_string(connection_string, **_CALL)
        except ValueError as error:
            # The text of a bad connection string may hold the key: keep it out of the reason.
            reason = f"{SETTING} is not a storage connection string with a table endpoint"
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error
        self._prefix = prefix

    def table(self, word: str) -> Table:
        """The table of that name."""
        name = f"{self._prefix}{word}"
        return Table(self._service.get_table_client(name), name)

    def close(self) -> None:
        """Close the connections."""
        self._service.close()


def _row(entity: Any) -> Row:
    values = {name: value for name, value in entity.items() if name not in {"PartitionKey", "RowKey"}}
    return Row(entity["PartitionKey"], entity["RowKey"], values, entity.metadata.get("etag") or "")


def _unchanged(row: Row) -> dict[str, Any]:
    return {"etag": row.etag, "match_condition": MatchConditions.IfNotModified}
