"""What several checks of one examination go by is looked at once: the first to ask looks, the others wait for it."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Facts = TypeVar("Facts")


class Once(Generic[Facts]):
    """Facts by key, for the time of one examination. What was raised is raised to everybody who asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Hashable, Future[Facts]] = {}

    def __call__(self, key: Hashable, look: Callable[[], Facts]) -> Facts:
        """The facts of that key; ``look`` is called unless somebody has asked before."""
        with self._lock:
            mine = key not in self._known
            future = self._known.setdefault(key, Future())
        if mine:
            try:
                future.set_result(look())
            except BaseException as error:  # noqa: BLE001 - it is raised to all who wait, this caller too
                future.set_exception(error)
        return future.result()
