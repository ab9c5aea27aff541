"""What a service is, before it runs, and in which order services start."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Probe = Callable[[], str | None]
"""Looks whether a service is ready: ``None`` when it is, else the reason why it is not yet."""


class State(StrEnum):
    """Where a service is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DIED = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of the stack. Secrets belong into ``environment`` or into files, never into ``command``."""

    name: str
    command: Sequence[str]
    ready: Probe
    url: str
    environment: Callable[[], Mapping[str, str]]
    """All of it: nothing is inherited. Asked for at each start, when ``depends_on`` are ready."""
    prepare: Callable[[], None] = lambda: None
    """Writes what the service reads at its start."""
    depends_on: frozenset[str] = field(default_factory=frozenset)
    start_within: float = 180.0
    """Seconds; of a machine with much else to do."""
    grace: float = 5.0
    """Seconds between being asked to end and being made to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One service as it is now."""

    name: str
    state: State
    url: str
    log: Path
    pid: int | None = None
    started: int = 0
    """Start time in clock ticks, see :class:`local_stack.processes.identities.Identity`."""
    since: float = 0.0
    """When it got into this state, seconds since the epoch."""
    detail: str = ""


class ServiceError(Exception):
    """A service could not be started, or is not known."""


def in_start_order(services: Iterable[Service]) -> list[Service]:
    """The services so that each comes after those it depends on. Raises :class:`ServiceError` when that cannot be."""
    by_name = {service.name: service for service in services}
    for service in by_name.values():
        if missing := service.depends_on - by_name.keys():
            raise ServiceError(f"{service.name} depends on {', '.join(sorted(missing))}, which is not there")
    try:
        order = list(TopologicalSorter({name: by_name[name].depends_on for name in by_name}).static_order())
    except CycleError as error:
        raise ServiceError(f"services depend on each other in a circle: {' -> '.join(error.args[1])}") from error
    return [by_name[name] for name in order]


def with_dependencies(services: Iterable[Service], wanted: Collection[str]) -> list[Service]:
    """The wanted services and everything below them, in start order."""
    by_name = {service.name: service for service in services}
    if unknown := set(wanted) - by_name.keys():
        raise ServiceError(f"no service {', '.join(sorted(unknown))}; there are {', '.join(sorted(by_name))}")
    chosen: set[str] = set()
    queue = list(wanted)
    while queue:
        name = queue.pop()
        if name not in chosen:
            chosen.add(name)
            queue.extend(by_name[name].depends_on)
    return in_start_order(by_name[name] for name in chosen)
