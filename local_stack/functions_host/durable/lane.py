"""Running work on the event loop with a limit: first come, first served."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Lane(Generic[Item]):
    """Runs one coroutine an item, at most ``limit`` at once. ``run`` handles its own errors. Use on one loop only."""

    def __init__(self, limit: int, run: Callable[[Item], Coroutine[Any, Any, None]]) -> None:
        self._limit = limit
        self._run = run
        self._queue: deque[Item] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def queued(self) -> int:
        """Items that wait for a place."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Items being worked on."""
        return len(self._running)

    def submit(self, item: Item) -> None:
        """Run the item as soon as there is a place. After :meth:`close` nothing happens."""
        if not self._closed:
            self._queue.append(item)
            self._pump()

    def discard(self, unwanted: Callable[[Item], bool]) -> None:
        """Forget queued items; what runs, runs on."""
        self._queue = deque(item for item in self._queue if not unwanted(item))

    async def close(self, grace: timedelta) -> int:
        """Start nothing more and let running items end. The number of those that did not and were canceled."""
        self._closed = True
        self._queue.clear()
        if not self._running:
            return 0
        _, late = await asyncio.wait(self._running, timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _pump(self) -> None:
        while self._queue and len(self._running) < self._limit and not self._closed:
            task = asyncio.create_task(self._run(self._queue.popleft()))
            self._running.add(task)
            task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._pump()
