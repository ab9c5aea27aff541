"""The ledger's tables in Azure Table storage, created on first use."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.data.tables import TableClient, UpdateMode

from shared.clients.foreign_answers import stranger
from shared.clients.host_storage import SETTING, StorageAccess
from shared.clients.ledger.tables import Change, Insert, Row, Update
from shared.clients.ledger.transactions import content_type, encoded, made, refusal
from shared.clients.storage_errors import parsed, require_own, translated
from shared.errors import Code, PermanentError, TransientError
from shared.values.texts import shortened

# The SDK's default of ten tries sleeps for minutes inside one call; the durable retry policy does that better.
_CALL = {
    "retry_total": 3,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
    "connection_timeout": 5,
    "read_timeout": 30,
    "raw_response_hook": require_own,
}
_FORBIDDEN = 403
_DID_NOT_HOLD = {404, 409, 412}
_BEING_DELETED = "TableBeingDeleted"  # 409, as for a row that is there
_NO_TABLE = "TableNotFound"  # 404, as for a row that is not there
_TABLE_IS_GONE = {_NO_TABLE, _BEING_DELETED}
_BATCH = {
    "Accept": "application/json",
    "x-ms-version": "2019-02-02",
    "DataServiceVersion": "3.0",
    "MaxDataServiceVersion": "3.0;NetFx",
}


class AzureTable:
    """A :class:`~shared.clients.ledger.tables.Table` in a storage account."""

    def __init__(self, client: TableClient, name: str) -> None:
        self._client = client
        base = urlsplit(client.url)
        self._url = f"{base.scheme}://{base.netloc}{base.path.rstrip('/')}/{client.table_name}"
        self._batch_url = f"{base.scheme}://{base.netloc}{base.path.rstrip('/')}/$batch"
        self._what = f"the ledger's table {name}"
        self._exists = False
        self._may_not_make = ""  # how making it was refused
        self._creating = threading.Lock()

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None."""
        with translated(self._what, SETTING):
            self._ensure()
            try:
                with parsed(self._what):
                    return _row(self._client.get_entity(partition, key))
            except ResourceNotFoundError as error:
                if self._may_not_make and _NO_TABLE in str(error):
                    raise self._gone() from error
                return None

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
        """The rows of a partition with ``start <= key < end``, in order of their keys."""
        condition, values = _condition(partition, start, end, where or {})
        columns = ["PartitionKey", "RowKey", *select] if select else None
        with translated(self._what, SETTING):
            self._ensure()
            found = self._client.query_entities(condition, parameters=values, select=columns, results_per_page=page)
            entities = iter(found)
        while True:
            with translated(self._what, SETTING), parsed(self._what):
                try:
                    entity = next(entities, None)
                except ResourceNotFoundError as error:
                    raise self._gone() from error
            if entity is None:
                return
            yield _row(entity)

    def all_rows(self) -> Iterator[Row]:
        """Every row there is, in order of partitions and keys. For copies; nothing else reads a whole table."""
        with translated(self._what, SETTING):
            entities = iter(self._client.list_entities())
        while True:
            with translated(self._what, SETTING), parsed(self._what):
                entity = next(entities, None)
            if entity is None:
                return
            yield _row(entity)

    def insert(self, *rows: Row) -> bool:
        """Add all rows, or none and say False because one of them was there already."""
        if len(rows) > 1:
            return self.transact(*map(Insert, rows)) is None
        with translated(self._what, SETTING):
            self._ensure()
            try:
                self._client.create_entity(_entity(rows[0]))
            except ResourceExistsError as error:
                if _BEING_DELETED in str(error):  # the SDK has the service's code in the text only
                    raise self._gone() from error
                return False
            except ResourceNotFoundError as error:
                raise self._gone() from error
            return True

    def update(self, *rows: Row) -> bool:
        """Merge values into rows that were read, or change none and say False because one was changed or removed."""
        if len(rows) > 1:
            return self.transact(*map(Update, rows)) is None
        with translated(self._what, SETTING):
            try:
                self._client.update_entity(_entity(rows[0]), UpdateMode.MERGE, **_unchanged(rows[0]))
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
            return True

    def put(self, row: Row) -> None:
        """Merge values into the row, or insert it; unconditional."""
        with translated(self._what, SETTING):
            self._ensure()
            try:
                self._client.upsert_entity(_entity(row), mode=UpdateMode.MERGE)
            except ResourceNotFoundError as error:
                raise self._gone() from error

    def delete(self, row: Row) -> bool:
        """Delete a row that was read; False when it was changed since. A missing row counts as deleted."""
        with translated(self._what, SETTING):
            try:
                self._client.delete_entity(row.partition, row.key, **_unchanged(row))
            except ResourceModifiedError:
                return False
            return True

    def transact(self, *changes: Change) -> int | None:
        """Make all changes and say None, or make none and say which one did not hold."""
        with translated(self._what, SETTING):
            self._ensure()
            boundary, body = encoded(changes, self._url)
            headers = {"Content-Type": content_type(boundary)} | _BATCH
            request = HttpRequest("POST", self._batch_url, headers=headers, content=body)
            # The only way to the SDK's pipeline, with its credentials and retries, past its encoder.
            # Streamed, because the pipeline would else take the answer for JSON.
            response = self._client._client.send_request(request, stream=True)  # noqa: SLF001
            answer = response.read().decode("utf-8", "replace")
            refused = refusal(response.status_code, answer)
            if refused is None:
                if made(answer) != len(changes):
                    raise stranger(self._what, f"an answer to {made(answer)} of {len(changes)} changes")
                return None
            if refused.code in _TABLE_IS_GONE:
                raise self._gone()
            if refused.status in _DID_NOT_HOLD:
                return refused.position
            error = HttpResponseError(f"{refused.code}: {refused.text}", response=response)
            error.status_code = refused.status  # of the change; the request as a whole was accepted
            raise error

    def _gone(self) -> TransientError | PermanentError:
        # An insert finds nothing only when the table itself is missing: it was removed under a running app, or is
        # none of those that whoever may make no tables has been given.
        self._exists = False
        if self._may_not_make:
            return PermanentError(
                f"{self._what} is not there, and may not be made with these credentials; check {SETTING} and "
                f"EDGETRAIN_LEDGER_PREFIX, or let the app make it: {self._may_not_make}",
                code=Code.BAD_CONFIGURATION,
            )
        return TransientError(f"{self._what} was removed; it is created again on the next try")

    def _ensure(self) -> None:
        if self._exists:
            return
        with self._creating:
            if not self._exists:
                self._may_not_make = ""
                try:
                    self._client.create_table()
                except ResourceExistsError:  # the usual case: an earlier life of this app made it
                    pass
                except HttpResponseError as error:
                    # Who may only read, or write this one table, may not make tables; what is asked for next tells.
                    if error.status_code != _FORBIDDEN:
                        raise
                    self._may_not_make = shortened(error)
                self._exists = True


class AzureTables:
    """The ledger's tables in one storage account; their names are ``prefix`` and a word."""

    def __init__(self, access: StorageAccess, prefix: str) -> None:
        # Reading proxies from the environment is a quarter of the cost of a call, so it is done once; then the SDK no
        # longer looks for the authorities to trust either.
        trusted = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._service = access.tables(use_env_settings=bool(getproxies()), connection_verify=trusted, **_CALL)
        self._prefix = prefix

    def table(self, word: str) -> AzureTable:
        """The table of that name."""
        name = f"{self._prefix}{word}"
        return AzureTable(self._service.get_table_client(name), name)

    def words(self) -> list[str]:
        """The tables that there are, without the prefix."""
        with translated("the ledger", SETTING), parsed("the ledger"):
            names = [table.name for table in self._service.list_tables()]
        return sorted(name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix))

    def close(self) -> None:
        """Close the connections."""
        self._service.close()


def _condition(partition: str, start: str, end: str | None, where: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The filter and its parameters; texts go in as parameters only, so nothing in them can change the filter."""
    terms, values = ["PartitionKey eq @partition", "RowKey ge @start"], {"partition": partition, "start": start}
    if end is not None:
        terms.append("RowKey lt @end")
        values["end"] = end
    for number, (column, text) in enumerate(where.items()):
        terms.append(f"{column} eq @where{number}")
        values[f"where{number}"] = text
    return " and ".join(terms), values


def _entity(row: Row) -> dict[str, Any]:
    return {"PartitionKey": row.partition, "RowKey": row.key} | row.values


def _row(entity: Any) -> Row:
    values = {name: value for name, value in entity.items() if name not in {"PartitionKey", "RowKey"}}
    return Row(entity["PartitionKey"], entity["RowKey"], values, entity.metadata.get("etag") or "")


def _unchanged(row: Row) -> dict[str, Any]:
    return {"etag": row.etag, "match_condition": MatchConditions.IfNotModified} if row.etag else {}
