"""How often wrong keys may be tried: so many a minute from one address, remembered in this process, for few addresses.

Keys are long and random, so guessing leads nowhere; this keeps it from costing anything, and shows in no one's way.
"""

import threading
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

A_MINUTE: Final = timedelta(minutes=1)


class WrongKeys:
    """Wrong keys of the last minute, by the address that they came from; of the newest addresses alone."""

    def __init__(self, most: int = 10, addresses: int = 1000) -> None:
        self._most, self._addresses = most, addresses
        self._tried: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def another(self, address: str, now: datetime) -> None:
        """Somebody there has shown a wrong key."""
        with self._lock:
            tried = self._tried.setdefault(address, deque(maxlen=self._most))
            tried.append(now)
            self._tried.move_to_end(address)
            while len(self._tried) > self._addresses:
                self._tried.popitem(last=False)

    def too_many(self, address: str, now: datetime) -> bool:
        """Whether no more keys are taken from there now."""
        with self._lock:
            tried = self._tried.get(address, ())
            return sum(1 for at in tried if now - at < A_MINUTE) >= self._most
