"""Group commit: items that arrive while a write is under way are written together with the next one.

No item waits for a group to fill: the first is written at once. Groups therefore grow with the load, and an idle app is
as quick as without them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from shared.errors import TransientError

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_ITEMS = 500  # most items in one group, so that the first of a burst does not wait for all of it


class GroupCommit(Generic[Item, Result]):
    """Passes items in groups to ``commit``, which runs in a thread and returns one result for each item, in order.

    One group at a time. Bound to one event loop.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._commit = commit
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """The item's result, once its group is written; raises the item's own error."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            group = list(islice(self._waiting, MOST_ITEMS))
            for _ in group:
                self._waiting.popleft()
            try:
                await self._write(group)
            finally:
                for _, future in group:
                    future.cancel()  # of those that have no result, which only a stop of the app leaves

    async def _write(self, group: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await asyncio.to_thread(self._commit, [item for item, _ in group])
            answered = list(zip(group, results, strict=True))
        except Exception as error:  # noqa: BLE001 - raised to the callers whose items failed
            if len(group) == 1 or isinstance(error, TransientError):  # the store is down for all alike
                for _, future in group:
                    _resolve(future, error=error)
                return
            for one in group:  # one of them is bad: find out which, and keep the others
                await self._write([one])
            return
        for (_, future), result in answered:
            _resolve(future, result)


def _resolve(future: "asyncio.Future[Result]", result: Result | None = None, *, error: Exception | None = None) -> None:
    if future.done():  # its caller has been cancelled
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]  # without an error there is a result
