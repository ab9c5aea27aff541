"""The whole local stack as one object: start it, use it, inject faults, stop it."""

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from local_stack.files import read_object, write_object
from local_stack.supervisor import catalog, lifecycle, ports, record
from local_stack.supervisor.blueprint import Blueprint
from local_stack.supervisor.endpoints import Endpoints, collect
from local_stack.supervisor.layout import Layout
from local_stack.supervisor.service import State, Status, with_dependencies
from local_stack.supervisor.supervisor import Supervisor

Progress = Callable[[str], None]


class Stack:
    """A running local stack, supervised by this process: when this process ends, however it ends, the stack does.

    Use it as ``with Stack.start(folder) as stack`` or call :meth:`stop`.
    """

    def __init__(self, plan: Blueprint, *, progress: Progress, only: Collection[str] | None) -> None:
        """Not for callers: use :meth:`start`."""
        self._plan = plan
        self._progress = progress
        self._exits = ExitStack()
        self._began: dict[str, float] = {}
        self._supervisor: Supervisor | None = None
        self._ready = False
        self._refreshed = -1
        chosen = catalog.services(plan)
        self._services = with_dependencies(chosen, only if only is not None else [each.name for each in chosen])

    @classmethod
    def start(
        cls,
        state: Path,
        *,
        cache: Path | None = None,
        progress: Progress | None = None,
        only: Collection[str] | None = None,
        app_settings: Mapping[str, str] | None = None,
        by_identity: bool = False,
    ) -> Self:
        """Start the stack of a state folder, which is made if it is new; returns when every service is ready.

        ``cache`` (``cache`` in the folder by default) holds downloads and may be shared. ``progress`` gets a line at
        each change of a service, for as long as the stack runs, from other threads. ``only`` names the services to
        start; what they need comes with them. ``app_settings`` and ``by_identity`` are what the properties have at
        first. Raises ``InUseError`` when the folder's stack runs already and ``ServiceError`` when a service does not
        start; then, as after an interrupt, nothing is left running.
        """
        layout = Layout.at(state)
        layout.create()
        say = progress or (lambda _line: None)
        with ExitStack() as exits:
            exits.enter_context(layout.held())
            if left := record.end_leftovers(layout):
                say(f"ended {left} processes that an earlier run left behind")
            exits.callback(ports.give_back, layout.ports)
            plan = Blueprint.draw(layout, (cache or layout.root / "cache").resolve())
            plan.app.settings.update(app_settings or {})
            plan.app.by_identity = by_identity
            stack = cls(plan, progress=say, only=only)
            exits.callback(stack.stop)
            stack._run()
            stack._exits = exits.pop_all()  # the stack owns its end from here
        return stack

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def state(self) -> Path:
        """The state folder."""
        return self._plan.layout.root

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is now; ``endpoints.json`` is brought up to date as well."""
        endpoints = collect(self._plan)
        if endpoints != read_object(self._plan.layout.endpoints):
            write_object(self._plan.layout.endpoints, endpoints)
        return endpoints

    @property
    def app_settings(self) -> dict[str, str]:
        """Settings of the app besides those that lead to this stack; to be changed at will.

        They count from the next start of ``functions_host``, as a change of app settings restarts the app in Azure.
        """
        return self._plan.app.settings

    @property
    def by_identity(self) -> bool:
        """Whether the app logs in with its identity where it can, and not with keys; counts as :attr:`app_settings`."""
        return self._plan.app.by_identity

    @by_identity.setter
    def by_identity(self, value: bool) -> None:
        self._plan.app.by_identity = value

    def status(self) -> Sequence[Status]:
        """Every service as it is now."""
        return self._running().statuses()

    def kill(self, name: str) -> None:
        """End a service without warning (SIGKILL), as a crash would; returns when it is gone."""
        self._running().kill(name)

    def stop_service(self, name: str) -> None:
        """Stop a service in good order; returns when it is gone."""
        self._running().stop(name)

    def start_service(self, name: str) -> None:
        """Start a service that is not running, at its old address; returns when it is ready."""
        self._running().start(name)

    def restart(self, name: str) -> None:
        """Stop and start a service."""
        self.stop_service(name)
        self.start_service(name)

    def takes_refreshes(self) -> None:
        """Let others know that this stack's supervisor brings it up to date when it is asked to."""
        self._refreshed = 0
        self._note()

    def was_refreshed(self) -> None:
        """Let who asked know that it is done."""
        self._refreshed += 1
        self._note()

    def stop(self) -> None:
        """Stop everything; returns when no process is left. Again: nothing happens."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.close()
            self._plan.layout.record.unlink(missing_ok=True)
            for runtime in (self._plan.layout.runtime, self._plan.layout.cloud_runtime):
                shutil.rmtree(runtime, ignore_errors=True)
        self._exits.close()

    @staticmethod
    def clean(state: Path) -> None:
        """Stop the stack of a folder, whoever runs it, and delete the folder; see ``lifecycle.clean``."""
        lifecycle.clean(Layout.at(state))

    def _run(self) -> None:
        self._supervisor = Supervisor(
            self._services, logs_folder=self._plan.layout.logs, marker=self._plan.marker, on_change=self._on_change
        )
        self._note()
        self._supervisor.start_all()
        _ = self.endpoints  # written for those who wait for the start to return
        self._ready = True
        self._note()

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise RuntimeError("the stack is stopped")
        return self._supervisor

    def _on_change(self, status: Status) -> None:
        self._note()
        now = time.monotonic()
        if status.state is State.STARTING:
            self._began.setdefault(status.name, now)
        elif status.state is State.READY:
            self._progress(f"{status.name} is ready after {now - self._began.pop(status.name, now):.1f} s")
        elif status.state is State.DIED:
            self._began.pop(status.name, None)
            self._progress(f"{status.name} died ({status.detail}); see {status.log}, and start it again with: make up")
        elif status.state is State.STOPPED:
            self._progress(f"{status.name} is stopped")

    def _note(self) -> None:
        if self._supervisor is not None:
            record.write(
                self._plan.layout,
                self._supervisor.keeper,
                self._supervisor.statuses(),
                ready=self._ready,
                refreshed=self._refreshed,
            )
