"""Writing one turn: inside a transaction opened by the store, turn a ``TurnResult`` into rows."""

import sqlite3
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from local_stack.functions_host.durable.history import (
    Parent,
    child_ended,
    execution_started,
    from_stamp,
    to_json,
    to_stamp,
)
from local_stack.functions_host.durable.interfaces import TERMINAL_STATUSES
from local_stack.functions_host.durable.rows import create_instance, put_completion, put_message
from local_stack.functions_host.durable.turn import ActivityCall, ChildCall, NextGeneration, Snapshot, TurnResult

_WORK_TABLES: Final = ("inbox", "activities", "timers")


@dataclass(frozen=True, slots=True)
class ActivityWork:
    """An activity that has been handed out and not completed."""

    work_id: int
    instance_id: str
    execution_id: str
    task_id: int
    name: str
    input: str


@dataclass(slots=True)
class Effects:
    """What the dispatcher has to do once the transaction is committed."""

    activities: list[ActivityWork] = field(default_factory=list)
    timers: list[tuple[datetime, str]] = field(default_factory=list)
    """When to give which instance a turn."""
    woken: list[str] = field(default_factory=list)
    """Instances that have something in their inbox."""
    ended_execution: str | None = None
    """Activities of this execution need not be started any more."""
    history_rows: int = 0
    turns: int = 0


class TurnCommit:
    """One turn on its way into the tables."""

    def __init__(self, db: sqlite3.Connection, snapshot: Snapshot, result: TurnResult, now: datetime) -> None:
        self._db = db
        self._snapshot = snapshot
        self._result = result
        self._now = now
        self._effects = Effects()

    def write(self) -> Effects:
        """Write everything, or nothing when the instance was purged or replaced while the turn ran."""
        if not self._update_instance():
            return self._effects
        self._remove_taken()
        if self._result.next_generation is not None:
            self._continue_as_new(self._result.next_generation)
            return self._effects
        self._db.execute(
            "INSERT INTO history VALUES (?, ?, ?)",
            (self._snapshot.instance_id, self._snapshot.turn, to_json(self._result.events)),
        )
        self._effects.history_rows = 1
        if self._result.status in TERMINAL_STATUSES:
            self._finish()
        else:
            self._hand_out(self._result.activities)
            self._set_timers(self._result.timers)
            self._start_children(self._result.children)
        return self._effects

    def _update_instance(self) -> bool:
        """Write the outcome over exactly the state that was read."""
        changed = self._db.execute(
            "UPDATE instances SET status = ?, output = ?, custom_status = coalesce(?, custom_status), updated_at = ?,"
            " turn = turn + 1 WHERE instance_id = ? AND execution_id = ? AND turn = ?",
            (
                self._result.status,
                self._result.output,
                self._result.custom_status,
                to_stamp(self._now),
                self._snapshot.instance_id,
                self._snapshot.execution_id,
                self._snapshot.turn,
            ),
        )
        return changed.rowcount == 1

    def _remove_taken(self) -> None:
        taken = self._result.taken
        timers = {message.timer for message in taken if message.timer is not None} | self._result.canceled_timers
        self._db.executemany(
            "DELETE FROM inbox WHERE row = ?", [(message.row,) for message in taken if message.row is not None]
        )
        self._db.executemany(
            "DELETE FROM timers WHERE instance_id = ? AND timer_id = ?",
            [(self._snapshot.instance_id, timer_id) for timer_id in timers],
        )

    def _continue_as_new(self, following: NextGeneration) -> None:
        """Start over under the same id: created time, custom status, parent and unread external events stay."""
        old = self._snapshot
        self._clear("history", "activities", "timers")
        # A completion that is still here is a duplicate: an execution ends only when it has no open task.
        self._db.execute("DELETE FROM inbox WHERE instance_id = ? AND execution_id IS NOT NULL", (old.instance_id,))
        execution_id = uuid.uuid4().hex
        self._db.execute(
            "UPDATE instances SET execution_id = ?, input = ?, turn = 0, generation = generation + 1"
            " WHERE instance_id = ?",
            (execution_id, following.input, old.instance_id),
        )
        started = execution_started(
            self._now,
            name=old.name,
            instance_id=old.instance_id,
            execution_id=execution_id,
            input_json=following.input,
            parent=old.parent,
            generation=old.generation + 1,
        )
        for message in (started, *following.carried):
            put_message(self._db, old.instance_id, message | {"IsPlayed": False}, leads=True)
        self._effects.woken.append(old.instance_id)

    def _finish(self) -> None:
        """Drop what is left to do, and tell the parent."""
        self._clear(*_WORK_TABLES)
        self._effects.ended_execution = self._snapshot.execution_id
        if self._snapshot.parent is not None:
            self._answer(self._snapshot.parent, self._result.status, self._result.output)

    def _hand_out(self, calls: Iterable[ActivityCall]) -> None:
        instance_id, execution_id = self._snapshot.instance_id, self._snapshot.execution_id
        for call in calls:
            (work_id,) = self._db.execute(
                "INSERT INTO activities (instance_id, execution_id, task_id, name, input) VALUES (?, ?, ?, ?, ?)"
                " RETURNING work_id",
                (instance_id, execution_id, call.task_id, call.name, call.input),
            ).fetchone()
            work = ActivityWork(work_id, instance_id, execution_id, call.task_id, call.name, call.input)
            self._effects.activities.append(work)

    def _set_timers(self, timers: dict[int, str]) -> None:
        instance_id = self._snapshot.instance_id
        self._db.executemany(
            "INSERT INTO timers VALUES (?, ?, ?)",
            [(instance_id, timer_id, fire_at) for timer_id, fire_at in timers.items()],
        )
        self._effects.timers += [(from_stamp(fire_at), instance_id) for fire_at in timers.values()]

    def _start_children(self, children: Iterable[ChildCall]) -> None:
        me = self._snapshot
        for child in children:
            parent = Parent(me.instance_id, me.execution_id, me.name, child.task_id)
            if create_instance(
                self._db,
                name=child.name,
                instance_id=child.instance_id,
                input_json=child.input,
                parent=parent,
                now=self._now,
            ):
                self._effects.woken.append(child.instance_id)
            else:
                reason = f"An orchestration instance with id '{child.instance_id}' already exists and has not ended."
                self._answer(parent, "Failed", to_json(reason))

    def _answer(self, parent: Parent, status: str, output: str | None) -> None:
        message = child_ended(self._now, parent.task_id, status=status, output_json=output)
        if put_completion(self._db, parent.instance_id, parent.execution_id, message):
            self._effects.woken.append(parent.instance_id)

    def _clear(self, *tables: str) -> None:
        for table in tables:
            self._db.execute(f"DELETE FROM {table} WHERE instance_id = ?", (self._snapshot.instance_id,))  # noqa: S608 - our own names
