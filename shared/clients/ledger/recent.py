"""An in-memory cache of recent records: a redelivery usually follows soon, and in the same process."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Keeps the latest ``most`` values by key; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[tuple[str, str], Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, partition: str, key: str) -> Value | None:
        """The cached value; None when there is none."""
        with self._lock:
            return self._values.get((partition, key))

    def keep(self, partition: str, key: str, value: Value) -> None:
        """Cache the value; drops the oldest when there are too many."""
        with self._lock:
            self._values[partition, key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)
