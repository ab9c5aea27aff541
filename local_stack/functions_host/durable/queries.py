"""What callers may ask about instances, and purging: reads and deletes that no turn depends on."""

import base64
import sqlite3
from typing import Any, Final

from local_stack.functions_host.durable.database import Database
from local_stack.functions_host.durable.history import from_stamp, to_stamp
from local_stack.functions_host.durable.interfaces import (
    TERMINAL_STATUSES,
    InstanceNotFoundError,
    InstanceStatus,
    StatusQuery,
)
from local_stack.functions_host.durable.rows import read_history

_COLUMNS: Final = "instance_id, name, execution_id, status, input, output, custom_status, created_at, updated_at"
_LARGEST_PAGE: Final = 1000


class Queries:
    """Status of one instance or many."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, instance_id: str, *, with_history: bool = False) -> InstanceStatus:
        """One instance. Raises :class:`InstanceNotFoundError`."""
        with self._database.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM instances WHERE instance_id = ?",  # noqa: S608 - our own column names
                (instance_id,),
            ).fetchone()
            if row is None:
                raise InstanceNotFoundError(instance_id, f"No instance with id '{instance_id}' found.")
            return _status(row, history=read_history(db, instance_id) if with_history else None)

    def find(self, query: StatusQuery) -> tuple[list[InstanceStatus], str | None]:
        """One page in the order of ids, and the continuation for the next one if there are more.

        Raises ``ValueError`` for a continuation that is not one of ours.
        """
        where, values = _where(query)
        if query.continuation is not None:
            where.append("instance_id > ?")
            values.append(base64.b64decode(query.continuation, altchars=b"-_", validate=True).decode())
        page = min(query.top or _LARGEST_PAGE, _LARGEST_PAGE)
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM instances WHERE {' AND '.join(where)}"  # noqa: S608 - fixed fragments
                " ORDER BY instance_id LIMIT ?",
                (*values, page + 1),  # one more, to know whether there is another page
            ).fetchall()
        found = [_status(row, show_input=query.show_input) for row in rows[:page]]
        more = len(rows) > page
        return found, base64.urlsafe_b64encode(found[-1].instance_id.encode()).decode() if more else None

    def purge(self, instance_id: str) -> int:
        """Remove an instance with all that belongs to it, whatever it is doing. The number removed."""
        with self._database.transaction() as db:
            return db.execute("DELETE FROM instances WHERE instance_id = ?", (instance_id,)).rowcount

    def purge_by(self, query: StatusQuery) -> int:
        """Remove the instances that match and have ended. The number removed."""
        where, values = _where(query)
        where.append(_in("status", TERMINAL_STATUSES, values))
        with self._database.transaction() as db:
            return db.execute(f"DELETE FROM instances WHERE {' AND '.join(where)}", values).rowcount  # noqa: S608


def _where(query: StatusQuery) -> tuple[list[str], list[Any]]:
    conditions = ["1 = 1"]
    values: list[Any] = []
    if query.created_from is not None:
        conditions.append("created_at >= ?")
        values.append(to_stamp(query.created_from))
    if query.created_to is not None:
        conditions.append("created_at <= ?")
        values.append(to_stamp(query.created_to))
    if query.id_prefix:
        conditions.append("substr(instance_id, 1, ?) = ?")
        values += [len(query.id_prefix), query.id_prefix]
    if query.runtime_statuses:
        conditions.append(_in("status", query.runtime_statuses, values))
    return conditions, values


def _in(column: str, allowed: frozenset[str], values: list[Any]) -> str:
    values += sorted(allowed)
    return f"{column} IN ({', '.join('?' * len(allowed))})"


def _status(
    row: sqlite3.Row, *, history: list[dict[str, Any]] | None = None, show_input: bool = True
) -> InstanceStatus:
    return InstanceStatus(
        name=row["name"],
        instance_id=row["instance_id"],
        execution_id=row["execution_id"],
        runtime_status=row["status"],
        input=row["input"] if show_input else None,
        output=row["output"],
        custom_status=row["custom_status"],
        created_at=from_stamp(row["created_at"]),
        last_updated_at=from_stamp(row["updated_at"]),
        history=history,
    )
