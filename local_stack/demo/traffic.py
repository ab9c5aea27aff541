"""A client that keeps scoring while versions change, and counts what failed."""

import threading
from dataclasses import dataclass, field
from typing import Any, Final

import requests

_PAUSE: Final = 0.04  # seconds; enough requests for a canary of seconds, and time left for what else the machine does


@dataclass(slots=True)
class SteadyClient:
    """Posts ``request`` to ``url`` over one keep-alive connection until stopped; every answer but 200 is a failure."""

    url: str
    request: dict[str, Any]
    sent: int = 0
    failed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "SteadyClient":
        self._thread = threading.Thread(target=self._run, name="steady-client", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=90)

    def _run(self) -> None:
        with requests.Session() as session:
            while not self._stop.wait(_PAUSE):
                self.sent += 1
                try:
                    answer = session.post(f"{self.url}/score", json=self.request, timeout=60)
                except requests.RequestException:
                    self.failed += 1
                else:
                    self.failed += answer.status_code != 200
