"""A task hub on a temporary file with a clock that stands still, and an invoker that calls the real SDK."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df

from local_stack.functions_host.durable.interfaces import (
    ActivityFailedError,
    HistoryEvent,
    HubOptions,
    InstanceStatus,
    OrchestratorFailedError,
)
from local_stack.functions_host.durable.task_hub import TaskHub

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BUSY = ("turns_running", "turns_queued", "activities_running", "activities_queued")


class SdkInvoker:
    """Calls orchestrators through the SDK's own replay and activities directly."""

    def __init__(self, app: df.DFApp) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.fault: Exception | None = None
        self._orchestrators: dict[str, Callable[[Any], str]] = {}
        self._activities: dict[str, Callable[[Any], Any]] = {}
        for function in app.get_functions():
            by_kind = {"orchestrationTrigger": self._orchestrators, "activityTrigger": self._activities}
            by_kind[function.get_trigger().type][function.get_function_name().lower()] = function.get_user_function()

    def orchestrator_names(self) -> frozenset[str]:
        return frozenset(self._orchestrators)

    def activity_names(self) -> frozenset[str]:
        return frozenset(self._activities)

    def run_orchestrator(self, name: str, request: str) -> str:
        if self.fault is not None:
            raise self.fault
        try:
            return self._orchestrators[name.lower()](SimpleNamespace(body=request))
        except Exception as error:
            raise OrchestratorFailedError(f"{type(error).__name__}: {error}") from error

    async def run_activity(self, name: str, input_json: str, instance_id: str) -> str:
        value = json.loads(input_json)
        self.calls.append((name, value))
        try:
            result = self._activities[name.lower()](value)
            return json.dumps(await result if isinstance(result, Awaitable) else result)
        except Exception as error:
            raise ActivityFailedError(f"{type(error).__name__}: {error}", traceback.format_exc()) from error


@dataclass
class Clock:
    """Stands still until it is told to move."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at


@dataclass
class Host:
    """A started hub with what a test wants to do to it."""

    hub: TaskHub
    invoker: SdkInvoker
    clock: Clock
    path: Path
    patience: float = 20
    """Seconds for everything that happens without time passing."""

    async def settle(self) -> None:
        """Wait until the hub has nothing to do but to wait for timers and callers."""
        async with asyncio.timeout(self.patience):
            while self._busy() or await self._stirs():  # noqa: ASYNC110 - the hub has no event for idleness
                await asyncio.sleep(0.001)  # a loop that spins keeps the hub's threads from their work

    def _busy(self) -> bool:
        metrics = self.hub.metrics()
        return any(metrics[key] for key in BUSY)

    async def _stirs(self) -> bool:
        """Whether it was idle only until the loop came to what is due at once."""
        await asyncio.sleep(0)
        return self._busy()

    async def advance(self, step: timedelta) -> None:
        """Let time pass, and everything happen that happens then."""
        self.clock.at += step
        self.hub.clock_moved()
        await asyncio.sleep(0)
        await self.settle()

    async def start(self, name: str, value: Any = None, instance_id: str | None = None) -> str:
        """Start an instance with an input encoded as the SDK's client does, and let it run as far as it goes."""
        started = await self.hub.start_new(name, instance_id, None if value is None else json.dumps(json.dumps(value)))
        await self.settle()
        return started

    async def send(self, instance_id: str, name: str, value: Any = None) -> None:
        """Raise an event with plain JSON, and let the instance react."""
        await self.hub.raise_event(instance_id, name, json.dumps(value))
        await self.settle()

    async def run(self, name: str, value: Any = None) -> InstanceStatus:
        """Start an instance and give its status once nothing moves any more."""
        return await self.hub.get(await self.start(name, value))

    async def events(self, instance_id: str) -> list[HistoryEvent]:
        status = await self.hub.get(instance_id, with_history=True)
        assert status.history is not None
        return status.history


@asynccontextmanager
async def hosted(
    app: df.DFApp | SdkInvoker, path: Path, clock: Clock | None = None, options: HubOptions | None = None
) -> AsyncIterator[Host]:
    clock = clock or Clock()
    invoker = app if isinstance(app, SdkInvoker) else SdkInvoker(app)
    hub = TaskHub(path, invoker, replace(options or HubOptions(max_orchestrators=4), now=clock.now))
    await hub.start()
    try:
        host = Host(hub, invoker, clock, path)
        await host.settle()
        yield host
    finally:
        await hub.stop(timedelta(seconds=10))


@dataclass
class Stage:
    """Where a test's app lives: ``play`` runs a scenario against a hub, again and again on the same file."""

    path: Path
    app: df.DFApp = field(default_factory=df.DFApp)
    clock: Clock = field(default_factory=Clock)
    _invoker: SdkInvoker | None = None

    @property
    def invoker(self) -> SdkInvoker:
        # An app can be asked for its functions only once.
        self._invoker = self._invoker or SdkInvoker(self.app)
        return self._invoker

    def orchestrator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        self.app.orchestration_trigger(context_name="context")(function)
        return function

    def activity(self, function: Callable[..., Any]) -> Callable[..., Any]:
        self.app.activity_trigger(input_name="value")(function)
        return function

    def play(self, scenario: Callable[[Host], Coroutine[Any, Any, None]], options: HubOptions | None = None) -> None:
        async def run() -> None:
            async with hosted(self.invoker, self.path, self.clock, options) as host:
                await scenario(host)

        asyncio.run(run())


def output(status: InstanceStatus) -> Any:
    return None if status.output is None else json.loads(status.output)


def reason(caught: Exception | None) -> str:
    """The part of a failure's text that comes from the host; the SDK glues the details to it."""
    return str(caught).split(" \n ", maxsplit=1)[0]


@dataclass
class Gate:
    """Keeps activities inside until it is opened, and counts how many were in at once."""

    opened: asyncio.Event
    inside: int = 0
    most: int = 0

    async def passing(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.opened.wait()
        self.inside -= 1


async def started(gate: Gate, count: int) -> None:
    async with asyncio.timeout(10):
        while gate.inside < count:  # noqa: ASYNC110 - there may be any number of them
            await asyncio.sleep(0)


async def open_gate(gate: Gate, host: Host) -> None:
    gate.opened.set()
    await host.settle()
