"""The statements that several transactions share: creating an instance, delivering a message, reading a history."""

import json
import sqlite3
import uuid
from dataclasses import asdict
from datetime import datetime

from local_stack.functions_host.durable.history import Parent, execution_started, to_json, to_stamp
from local_stack.functions_host.durable.interfaces import TERMINAL_STATUSES, HistoryEvent


def create_instance(
    db: sqlite3.Connection,
    *,
    name: str,
    instance_id: str,
    input_json: str | None,
    parent: Parent | None,
    now: datetime,
) -> bool:
    """Insert an instance and its first message; ``False`` when one with this id has not ended yet."""
    row = db.execute("SELECT status FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
    if row is not None:
        if row["status"] not in TERMINAL_STATUSES:
            return False
        db.execute("DELETE FROM instances WHERE instance_id = ?", (instance_id,))
    execution_id = uuid.uuid4().hex
    stamp = to_stamp(now)
    db.execute(
        "INSERT INTO instances (instance_id, name, execution_id, status, input, created_at, updated_at, parent)"
        " VALUES (?, ?, ?, 'Pending', ?, ?, ?, ?)",
        (instance_id, name, execution_id, input_json, stamp, stamp, to_json(asdict(parent)) if parent else None),
    )
    started = execution_started(
        now, name=name, instance_id=instance_id, execution_id=execution_id, input_json=input_json, parent=parent
    )
    put_message(db, instance_id, started, leads=True)
    return True


def put_message(
    db: sqlite3.Connection,
    instance_id: str,
    message: HistoryEvent,
    *,
    execution_id: str | None = None,
    leads: bool = False,
) -> None:
    """Add to an inbox. ``leads`` puts the message before all that came or comes without it."""
    db.execute(
        "INSERT INTO inbox (instance_id, execution_id, leads, event) VALUES (?, ?, ?, ?)",
        (instance_id, execution_id, leads, to_json(message)),
    )


def put_completion(db: sqlite3.Connection, instance_id: str, execution_id: str, message: HistoryEvent) -> bool:
    """Deliver a completion to the execution that asked for it; ``False`` when that one is over."""
    row = db.execute(
        "SELECT status FROM instances WHERE instance_id = ? AND execution_id = ?", (instance_id, execution_id)
    ).fetchone()
    if row is None or row["status"] in TERMINAL_STATUSES:
        return False
    put_message(db, instance_id, message, execution_id=execution_id)
    return True


def read_history(db: sqlite3.Connection, instance_id: str) -> list[HistoryEvent]:
    """All events of the current execution, in order."""
    rows = db.execute("SELECT events FROM history WHERE instance_id = ? ORDER BY turn", (instance_id,))
    return [each for row in rows for each in json.loads(row["events"])]
