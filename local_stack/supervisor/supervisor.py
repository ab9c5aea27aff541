"""Starts services in dependency order, watches them, stops them. Knows nothing of what the services are."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from local_stack.processes.client import REPOSITORY, Event, KeeperClient
from local_stack.processes.identities import Identity
from local_stack.supervisor import logs
from local_stack.supervisor.service import Service, ServiceError, State, Status, in_start_order

_PROBE_INTERVAL = 0.05
_TAIL = 15

OnChange = Callable[[Status], None]


class ServiceFailedError(ServiceError):
    """A service died or was not ready in time. The message ends with the last lines of its log."""


class _Cancelled(ServiceError):  # noqa: N818  nothing is wrong with the service itself
    """Another service failed, or the stack is being stopped."""


class Supervisor:
    """The services of one stack. Every method may be called from any thread, except ``start_all`` and ``close``.

    ``on_change`` hears every change of state, one call at a time.
    """

    def __init__(
        self, services: Iterable[Service], *, logs_folder: Path, marker: Mapping[str, str], on_change: OnChange
    ) -> None:
        self._services = {service.name: service for service in in_start_order(services)}
        self._marker = dict(marker)
        self._on_change = on_change
        self._reporting = threading.Lock()
        self._changed = threading.Condition()
        self._cancelled = False
        self._statuses = {
            name: Status(name=name, state=State.WAITING, url=service.url, log=logs_folder / f"{name}.log")
            for name, service in self._services.items()
        }
        keeper_log = logs_folder / "keeper.log"
        logs.rotate(keeper_log)
        self._keeper = KeeperClient(log=keeper_log, marker=self._marker, on_event=self._on_event)

    @property
    def keeper(self) -> Identity:
        """The process that is the parent of all services."""
        return self._keeper.identity

    def statuses(self) -> Sequence[Status]:
        """All services as they are now, in start order."""
        with self._changed:
            return tuple(self._statuses.values())

    def start_all(self) -> None:
        """Start everything, side by side where the order allows; returns when all are ready.

        Raises :class:`ServiceFailedError` for the first that fails; the others stay as they are until ``close``.
        """
        with ThreadPoolExecutor(max_workers=max(1, len(self._services))) as pool:
            starts = [pool.submit(self._start_in_turn, service) for service in self._services.values()]
            try:
                failures = [start.exception() for start in starts]
            except BaseException:  # an interrupt: let the threads go before the pool waits for them
                self._cancel()
                raise
        real = [failure for failure in failures if failure and not isinstance(failure, _Cancelled)]
        for failure in real or [failure for failure in failures if failure]:
            raise failure

    def start(self, name: str) -> None:
        """Start one stopped or dead service and wait until it is ready."""
        service = self._service(name)
        if self._status(name).state in (State.STARTING, State.READY, State.STOPPING):
            raise ServiceError(f"{name} is {self._status(name).state}, it cannot be started")
        self._run(service)

    def stop(self, name: str) -> None:
        """Stop one service as at the end of the stack, and wait until it is gone."""
        self._service(name)
        self._keeper.stop(name)
        self._wait_gone(name)

    def kill(self, name: str) -> None:
        """End one service without warning (SIGKILL), as a crash would, and wait until it is gone."""
        self._service(name)
        self._keeper.kill(name)
        self._wait_gone(name)

    def close(self) -> None:
        """Stop everything in reverse order; returns when no process is left."""
        self._cancel()
        self._keeper.close()

    def _service(self, name: str) -> Service:
        if name not in self._services:
            raise ServiceError(f"no service {name!r}; there are {', '.join(self._services)}")
        return self._services[name]

    def _status(self, name: str) -> Status:
        with self._changed:
            return self._statuses[name]

    def _start_in_turn(self, service: Service) -> None:
        try:
            self._wait_for_dependencies(service)
            self._run(service)
        except BaseException:
            self._cancel()
            raise

    def _wait_for_dependencies(self, service: Service) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._cancelled or all(self._statuses[name].state is State.READY for name in service.depends_on)
            )
            self._check_cancelled()

    def _run(self, service: Service) -> None:
        status = self._status(service.name)
        self._change(service.name, state=State.STARTING, pid=None, detail="")
        service.prepare()
        logs.rotate(status.log)
        self._keeper.start(
            service.name,
            argv=service.command,
            env={**service.environment(), **self._marker},
            cwd=REPOSITORY,
            log=status.log,
            after=sorted(service.depends_on),
            grace=service.grace,
        )
        self._wait_ready(service)

    def _wait_ready(self, service: Service) -> None:
        deadline = time.monotonic() + service.start_within
        while True:
            reason = service.ready()
            with self._changed:
                self._check_cancelled()
                status = self._statuses[service.name]
                if status.state is State.DIED:
                    raise ServiceFailedError(_with_log(f"{service.name} died: {status.detail}", status.log))
                if time.monotonic() > deadline:
                    break
                if reason is not None:
                    self._changed.wait(_PROBE_INTERVAL)
            if reason is None and status.pid is not None:
                # It may have died since it answered, and then stays dead: the next round says so.
                self._change(service.name, only_from=State.STARTING, state=State.READY)
                if self._status(service.name).state is State.READY:
                    return
        message = f"{service.name} is not ready after {service.start_within:.0f} s: {reason}"
        raise ServiceFailedError(_with_log(message, status.log))

    def _wait_gone(self, name: str) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._statuses[name].state in (State.STOPPED, State.DIED, State.WAITING) or self._cancelled
            )

    def _cancel(self) -> None:
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _check_cancelled(self) -> None:
        if self._cancelled:
            raise _Cancelled("the start was cancelled")

    def _change(self, name: str, *, only_from: State | None = None, **changes: Any) -> None:
        with self._reporting:
            with self._changed:
                if only_from not in (None, self._statuses[name].state):
                    return
                status = replace(self._statuses[name], **changes)
                if status.state is not self._statuses[name].state:
                    status = replace(status, since=time.time())
                elif status == self._statuses[name]:
                    return
                self._statuses[name] = status
                self._changed.notify_all()
            self._on_change(status)

    def _on_event(self, event: Event) -> None:
        match event["event"]:
            case "started":
                self._change(event["name"], pid=event["pid"], started=event["started"])
            case "not_started":
                self._change(event["name"], state=State.DIED, detail=event["reason"])
            case "stopping":
                self._change(event["name"], state=State.STOPPING)
            case "exited":
                self._on_exit(event["name"], event["code"])
            case "keeper_lost":
                for status in self.statuses():
                    self._change(status.name, state=State.DIED, pid=None, detail="the keeper process died")

    def _on_exit(self, name: str, code: int) -> None:
        asked = self._status(name).state is State.STOPPING
        self._change(name, state=State.STOPPED if asked else State.DIED, pid=None, detail="" if asked else _how(code))


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _with_log(message: str, log: Path) -> str:
    lines = logs.tail(log, _TAIL)
    return "\n  ".join([message, f"the end of {log}:", *(f"  {line}" for line in lines or ["(empty)"])])
