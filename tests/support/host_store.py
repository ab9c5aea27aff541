"""Looks into the local Functions host's store from outside, read only: what is scheduled, running, done."""

import sqlite3
from contextlib import closing
from pathlib import Path

from local_stack.app_client import deadline


class HostStore:
    """The store of the host of a stack. Every look is a connection of its own: the host may be killed meanwhile."""

    def __init__(self, state: Path) -> None:
        self._files = state / "functions_host"

    def reached(self, activity: str, moment: str) -> bool:
        """Whether an activity is under way (``during``), or its completion is stored (``after``)."""
        under_way = self._asked("SELECT count(*) FROM activities WHERE lower(name) = ?", activity) > 0
        if moment == "during" and under_way:
            return True
        scheduled = self._asked("SELECT count(*) FROM history WHERE events LIKE ?", f'%"Name":"{activity}"%') > 0
        return scheduled and not under_way

    def wait_for(self, activity: str, moment: str, *, seconds: float = 90) -> None:
        """Return at that moment of the activity, as fast as looking allows."""
        for _ in deadline(seconds, f"{moment} {activity}", pause=0.001):
            if self.reached(activity, moment):
                return

    def _asked(self, query: str, value: str) -> int:
        file = next(self._files.glob("*.sqlite3"))
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            found: int = connection.execute(query, (value,)).fetchone()[0]
        return found
