"""What the engine keeps, and the transactions that change it: one a turn, one an activity, one a client call.

Activities are leased in memory only. One process owns the file, so a lease that dies with it needs no clearing: what
is still in the table at the start has not been completed and runs again.
"""

import json
import sqlite3
from datetime import datetime

from local_stack.functions_host.durable.commit import ActivityWork, Effects, TurnCommit
from local_stack.functions_host.durable.database import Database
from local_stack.functions_host.durable.history import Parent, from_stamp, timer_fired, to_stamp
from local_stack.functions_host.durable.interfaces import (
    TERMINAL_STATUSES,
    HistoryEvent,
    InstanceConflictError,
    InstanceGoneError,
    InstanceNotFoundError,
    InstanceStatus,
)
from local_stack.functions_host.durable.rows import create_instance, put_completion, put_message, read_history
from local_stack.functions_host.durable.turn import Message, Snapshot, TurnResult


class Store:
    """The tables of a task hub behind operations that each leave them consistent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recover(self) -> Effects:
        """All that was unfinished when the file was last closed, or its process killed."""
        with self._database.reading() as db:
            return Effects(
                activities=[ActivityWork(**row) for row in db.execute("SELECT * FROM activities ORDER BY work_id")],
                timers=[
                    (from_stamp(row["fire_at"]), row["instance_id"])
                    for row in db.execute("SELECT instance_id, fire_at FROM timers")
                ],
                woken=[row["instance_id"] for row in db.execute("SELECT DISTINCT instance_id FROM inbox")],
            )

    def create(self, *, name: str, instance_id: str, input_json: str | None, now: datetime) -> None:
        """Create an instance, or put it in the place of one that has ended."""
        with self._database.transaction() as db:
            if not create_instance(db, name=name, instance_id=instance_id, input_json=input_json, parent=None, now=now):
                raise InstanceConflictError(
                    instance_id, f"An orchestration instance with id '{instance_id}' already exists and has not ended."
                )

    def status(self, instance_id: str, *, with_history: bool = False) -> InstanceStatus:
        """One instance. Raises :class:`InstanceNotFoundError`."""
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
            if row is None:
                raise InstanceNotFoundError(instance_id, f"No instance with id '{instance_id}' found.")
            return _status(row, history=read_history(db, instance_id) if with_history else None)

    def instances(self) -> list[InstanceStatus]:
        """Every instance, in the order of ids."""
        with self._database.reading() as db:
            return [_status(row) for row in db.execute("SELECT * FROM instances ORDER BY instance_id")]

    def purge(self, instance_id: str) -> bool:
        """Remove an instance that has ended, with all that belongs to it; ``False`` for one that has not.

        Raises :class:`InstanceNotFoundError`.
        """
        with self._database.transaction() as db:
            row = db.execute("SELECT status FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
            if row is None:
                raise InstanceNotFoundError(instance_id, f"No instance with id '{instance_id}' found.")
            if row["status"] not in TERMINAL_STATUSES:
                return False
            db.execute("DELETE FROM instances WHERE instance_id = ?", (instance_id,))
            return True

    def post(self, instance_id: str, message: HistoryEvent) -> None:
        """Put a client's message into the inbox of an instance that has not ended."""
        with self._database.transaction() as db:
            row = db.execute("SELECT status FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
            if row is None:
                raise InstanceNotFoundError(instance_id, f"No instance with id '{instance_id}' found.")
            if row["status"] in TERMINAL_STATUSES:
                raise InstanceGoneError(instance_id, f"The instance '{instance_id}' has ended ({row['status']}).")
            put_message(db, instance_id, message)

    def complete_activity(self, work: ActivityWork, message: HistoryEvent) -> bool:
        """Replace the work by its result. ``False`` when the instance has ended or gone meanwhile: result dropped."""
        with self._database.transaction() as db:
            done = db.execute("DELETE FROM activities WHERE work_id = ?", (work.work_id,)).rowcount
            return done == 1 and put_completion(db, work.instance_id, work.execution_id, message)

    def load(self, instance_id: str, now: datetime) -> Snapshot | None:
        """An instance with all that waits for it, or ``None`` when there is nothing to do."""
        with self._database.reading() as db:
            inbox = [
                Message(json.loads(row["event"]), row=row["row"])
                for row in db.execute(
                    "SELECT row, event FROM inbox WHERE instance_id = ? ORDER BY leads DESC, row", (instance_id,)
                )
            ]
            timers = [
                Message(timer_fired(now, row["timer_id"], row["fire_at"]), timer=row["timer_id"])
                for row in db.execute(
                    "SELECT timer_id, fire_at FROM timers WHERE instance_id = ? AND fire_at <= ? ORDER BY fire_at",
                    (instance_id, to_stamp(now)),
                )
            ]
            if not inbox and not timers:
                return None
            row = db.execute("SELECT * FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
            return Snapshot(
                instance_id=instance_id,
                name=row["name"],
                execution_id=row["execution_id"],
                status=row["status"],
                turn=row["turn"],
                generation=row["generation"],
                parent=_parent(row),
                history=read_history(db, instance_id),
                inbox=inbox,
                timers=timers,
            )

    def commit(self, snapshot: Snapshot, result: TurnResult, now: datetime) -> Effects:
        """Store a turn in one transaction, unless the instance was replaced while it ran."""
        with self._database.transaction() as db:
            return TurnCommit(db, snapshot, result, now).write()


def _parent(row: sqlite3.Row) -> Parent | None:
    return Parent(**json.loads(row["parent"])) if row["parent"] else None


def _status(row: sqlite3.Row, *, history: list[HistoryEvent] | None = None) -> InstanceStatus:
    return InstanceStatus(
        name=row["name"],
        instance_id=row["instance_id"],
        execution_id=row["execution_id"],
        runtime_status=row["status"],
        input=row["input"],
        output=row["output"],
        custom_status=row["custom_status"],
        created_at=from_stamp(row["created_at"]),
        last_updated_at=from_stamp(row["updated_at"]),
        history=history,
    )
