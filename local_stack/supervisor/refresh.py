"""``up`` on a running stack: restart dead services, and apply what has changed since the app started."""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from local_stack.processes.client import REPOSITORY
from local_stack.supervisor import record
from local_stack.supervisor.layout import Layout
from local_stack.supervisor.service import ServiceError, State, Status

APP: str = "functions_host"
_FOLDERS = ("pipelines", "training", "function_app", "orchestrations", "activities", "shared")
_DEAD = (State.DIED, State.STOPPED)
_POLL = 0.1
_PATIENCE = 300.0

Say = Callable[[str], None]


class Running(Protocol):
    """A running stack."""

    def status(self) -> Sequence[Status]:
        """Every service as it is now, in start order."""

    def stop_service(self, name: str) -> None:
        """Stop a service in good order."""

    def start_service(self, name: str) -> None:
        """Start a service that is not running; raises ``ServiceError``."""


def app_digest(root: Path = REPOSITORY) -> str:
    """A digest of the files that the app is made of: it reads them when it starts, and not again."""
    total = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                total.update(f"{path.relative_to(root)}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def refresh(stack: Running, started_with: str, say: Say) -> str:
    """Start every dead service, and the app anew when its files have changed; returns the digest it runs with now.

    What cannot be started is said and stays dead; the others go on.
    """
    digest = app_digest()
    changed = digest != started_with
    for status in stack.status():  # in start order
        if status.state in _DEAD or (status.name == APP and changed and status.state is State.READY):
            try:
                if status.state is State.READY:
                    say("files of the app have changed: the app is restarted")
                    stack.stop_service(status.name)
                stack.start_service(status.name)
            except ServiceError as error:
                say(str(error))
    return digest


def asked(layout: Layout, running: record.Record, ask: Callable[[], None], log: Path, say: Say) -> bool:
    """Ask the supervisor of a running stack to refresh it, pass on what it says, and wait until it has.

    ``ask`` tells it. Returns whether every service is ready then.
    """
    with log.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(0, 2)
        ask()
        ends = time.monotonic() + _PATIENCE
        while True:
            now = record.read(layout)
            for line in lines:
                say(line.rstrip())
            if now is None or not now.is_supervised():
                say("the stack has stopped; start it with: make up")
                return False
            if now.refreshed > running.refreshed:
                return all(service.state is State.READY for service in now.services)
            if time.monotonic() > ends:
                say(f"the stack was not brought up to date within {_PATIENCE:.0f} s; see {log}")
                return False
            time.sleep(_POLL)
