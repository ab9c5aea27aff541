"""One alarm clock for all timers of a task hub: sleeps until the next deadline, however many there are."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from heapq import heappop, heappush
from typing import Final

_LONGEST_NAP: Final = 60.0  # seconds; the loop's clock stands still while a laptop sleeps and knows no clock changes


class Alarm:
    """Calls ``ring`` with the name of what has come due. Use on one loop only.

    An entry cannot be taken back: whoever is called looks for himself whether there is something to do.
    """

    def __init__(self, now: Callable[[], datetime], ring: Callable[[str], None]) -> None:
        self._now = now
        self._ring = ring
        self._entries: list[tuple[datetime, str]] = []
        self._nap: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, due: datetime, name: str) -> None:
        """Ring for ``name`` at ``due``, or soon when that has passed."""
        heappush(self._entries, (due, name))
        if self._entries[0] == (due, name):
            self._sleep()

    def check(self) -> None:
        """Ring for everything that is due now."""
        while self._entries and self._entries[0][0] <= self._now():
            _, name = heappop(self._entries)
            self._ring(name)
        self._sleep()

    def close(self) -> None:
        """Never ring again."""
        self._entries.clear()
        self._sleep()

    def _sleep(self) -> None:
        if self._nap is not None:
            self._nap.cancel()
            self._nap = None
        if self._entries:
            delay = max(0.0, (self._entries[0][0] - self._now()).total_seconds())
            self._nap = asyncio.get_running_loop().call_later(min(delay, _LONGEST_NAP), self.check)
