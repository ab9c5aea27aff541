"""The record of a state folder's processes, for other processes; and ending what a dead supervisor left running."""

import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local_stack.files import read_object, write_object
from local_stack.processes import identities
from local_stack.processes.identities import Identity
from local_stack.supervisor.layout import MARKER, Layout
from local_stack.supervisor.service import State, Status

_KEEPER_PATIENCE = 60.0
_GRACE = 3.0


@dataclass(frozen=True, slots=True)
class Record:
    """A snapshot of a stack: who supervises, and each service."""

    supervisor: Identity
    keeper: Identity
    services: tuple[Status, ...]
    ready: bool = False
    """Whether the start is complete: every service was ready and the endpoints are written."""
    refreshed: int = -1
    """How often it was brought up to date since it started; -1 when its supervisor takes no such request."""

    def is_supervised(self) -> bool:
        """Whether the supervisor that wrote this still runs."""
        return identities.is_alive(self.supervisor)


def write(layout: Layout, keeper: Identity, services: Iterable[Status], *, ready: bool, refreshed: int = -1) -> None:
    """Note what runs, with this process as its supervisor."""
    supervisor = identities.identify(os.getpid())
    document = {
        "boot": identities.boot_id(),
        "supervisor": asdict(supervisor) if supervisor else None,
        "keeper": asdict(keeper),
        "ready": ready,
        "refreshed": refreshed,
        "services": [{**asdict(status), "log": str(status.log)} for status in services],
    }
    write_object(layout.record, document)


def read(layout: Layout) -> Record | None:
    """The last record; ``None`` when there is none that means anything today."""
    document = read_object(layout.record)
    if document.get("boot") != identities.boot_id():
        return None
    try:
        return Record(
            supervisor=Identity(**document["supervisor"]),
            keeper=Identity(**document["keeper"]),
            services=tuple(_status(entry) for entry in document["services"]),
            ready=bool(document.get("ready")),
            refreshed=int(document.get("refreshed", -1)),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _status(entry: dict[str, Any]) -> Status:
    return Status(**{**entry, "log": Path(entry["log"]), "state": State(entry["state"])})


def end_leftovers(layout: Layout) -> int:
    """End what an earlier supervisor of this folder left running; returns how many processes that were.

    Call it while holding the folder. The keeper of a supervisor that was killed is already stopping everything in
    good order, so it gets the time for that. After it, what is recorded by id and start time goes, and then whatever
    carries this stack's marker in its environment; nothing else is touched.
    """
    found: set[Identity] = set()
    record = read(layout)
    if record is not None:
        deadline = time.monotonic() + _KEEPER_PATIENCE
        while identities.is_alive(record.keeper) and time.monotonic() < deadline:
            time.sleep(0.05)
        found |= {record.keeper, *(Identity(s.pid, s.started) for s in record.services if s.pid)}
    if stack_id := layout.stack_id():
        found |= identities.marked(MARKER, stack_id)
    return len(identities.end(found, grace=_GRACE))
