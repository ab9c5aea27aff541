"""Looks into the local Functions host's store from outside, read only: what is scheduled, running, answered."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from local_stack.app_client import deadline

HistoryEvent = dict[str, Any]


class HostStore:
    """The store of the host of a stack, without the instances that were there when this look at it began.

    Every question is a connection of its own: the host may be killed meanwhile, and may be dead now.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "functions_host"
        self._since = str(self.ask("SELECT coalesce(max(created_at), '') FROM instances")[0][0])

    def running(self, activity: str) -> bool:
        """Whether the activity was handed out and has not answered."""
        query = (
            "SELECT count(*) FROM activities a JOIN instances USING (instance_id) WHERE created_at > ? AND a.name = ?"
        )
        return bool(self.ask(query, self._since, activity)[0][0])

    def answered(self, activity: str) -> bool:
        """Whether the activity was scheduled, and every answer to it is stored."""
        query = "SELECT count(*) FROM history JOIN instances USING (instance_id) WHERE created_at > ? AND events LIKE ?"
        scheduled = self.ask(query, self._since, f'%"Name":"{activity}"%')[0][0]
        return bool(scheduled) and not self.running(activity)

    def instances(self, orchestration: str) -> dict[str, str]:
        """Id -> status of the new instances of an orchestration."""
        query = "SELECT instance_id, status FROM instances WHERE created_at > ? AND name = ?"
        return dict(self.ask(query, self._since, orchestration))

    def statuses(self) -> dict[str, str]:
        """Id -> status of all new instances."""
        return dict(self.ask("SELECT instance_id, status FROM instances WHERE created_at > ?", self._since))

    def history(self, instance_id: str) -> list[HistoryEvent]:
        """The events of an instance's present or last execution, as stored."""
        return self.history_and_inbox(instance_id)[0]

    def history_and_inbox(self, instance_id: str) -> tuple[list[HistoryEvent], list[HistoryEvent]]:
        """The same, and what waits for the next turn, both at one moment."""
        query = (
            "SELECT 0, turn, events FROM history WHERE instance_id = :id"
            " UNION ALL SELECT 1, row, json_array(json(event)) FROM inbox WHERE instance_id = :id ORDER BY 1, 2"
        )
        parts: tuple[list[HistoryEvent], list[HistoryEvent]] = ([], [])
        with self._open() as connection:
            for part, _, events in connection.execute(query, {"id": instance_id}):
                parts[part].extend(json.loads(events))
        return parts

    def output(self, instance_id: str) -> Any:
        """What an orchestration that has ended gave."""
        ((output,),) = self.ask("SELECT output FROM instances WHERE instance_id = ?", instance_id)
        return json.loads(output)

    def ask(self, query: str, *values: str) -> list[Any]:
        """The rows of a query of one's own."""
        with self._open() as connection:
            return connection.execute(query, values).fetchall()

    def _open(self) -> closing[sqlite3.Connection]:
        file = next(self._folder.glob("*.sqlite3"))
        return closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True))


def wait_until(reached: Callable[[], bool], what: str, *, seconds: float = 900) -> None:
    """Return as soon as the condition holds, as fast as looking allows."""
    for _ in deadline(seconds, what, pause=0.001):
        if reached():
            return
