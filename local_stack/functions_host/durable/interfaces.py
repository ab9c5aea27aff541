"""The interface between the two halves of the host: the engine (this package) and its callers.

The engine knows no HTTP and no Azure SDK. It calls the app through :class:`Invoker`; everything a caller can do to an
instance is a method of ``task_hub.TaskHub``, described with the types below. Every "JSON text" is kept exactly as it
came or will go over the wire: the engine never re-encodes a value it does not own.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

MAX_INSTANCE_ID_LENGTH: Final = 256
CORES: Final = os.cpu_count() or 1

TERMINAL_STATUSES: Final = frozenset({"Completed", "Failed", "Terminated", "Canceled"})

HistoryEvent = dict[str, Any]
"""One stored event: Pascal-case keys, ``EventType`` as a number."""


class OrchestratorFailedError(Exception):
    """The worker raised. ``str(error)`` is ``"<ExceptionType>: <text>"``, with a reply behind ``$OutOfProcData$:``."""


class ActivityFailedError(Exception):
    """An activity raised. ``str(error)`` is ``"<ExceptionType>: <text>"``; ``stack`` is the formatted traceback."""

    def __init__(self, message: str, stack: str = "") -> None:
        super().__init__(message)
        self.stack = stack


class Invoker(Protocol):
    """Runs the app's functions. The only door from the engine to the app."""

    def orchestrator_names(self) -> frozenset[str]:
        """Names of all orchestrators, in lower case."""
        ...

    def activity_names(self) -> frozenset[str]:
        """Names of all activities, in lower case."""
        ...

    def run_orchestrator(self, name: str, request: str) -> str:
        """Replay one orchestrator: JSON request in, JSON reply out. Blocks; never called on the event loop.

        Raises :class:`OrchestratorFailedError` when the function raised.
        """
        ...

    async def run_activity(self, name: str, input_json: str, instance_id: str) -> str:
        """Run one activity on the JSON text of its input and give the JSON text of its result.

        Raises :class:`ActivityFailedError` when the function raised.
        """
        ...


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Limits of one task hub. The defaults are the real host's: ten of each kind per core."""

    max_activities: int = 10 * CORES
    max_orchestrators: int = 10 * CORES
    longest_timer: timedelta = timedelta(days=6)
    """The SDK splits what is longer into pieces of ``long_timer_interval``."""
    long_timer_interval: timedelta = timedelta(days=3)
    now: Callable[[], datetime] = utc_now
    """The clock; a test that moves it calls ``TaskHub.clock_moved``."""


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One orchestration instance as its current execution stands. Values are JSON texts, times are aware and UTC."""

    name: str
    instance_id: str
    execution_id: str
    runtime_status: str
    """Pending, Running, Completed, Failed, Terminated or Canceled."""
    input: str | None
    output: str | None
    """JSON text; of a failed or terminated instance a JSON string literal holding the failure text or the reason."""
    custom_status: str | None
    created_at: datetime
    last_updated_at: datetime
    history: list[HistoryEvent] | None = None
    """The stored events of the current execution, unfolded; ``None`` when not asked for."""


class InstanceError(Exception):
    """Root of what can be wrong with an instance a caller names."""

    def __init__(self, instance_id: str, message: str) -> None:
        super().__init__(message)
        self.instance_id = instance_id


class InstanceNotFoundError(InstanceError):
    """No instance has this id."""


class InstanceGoneError(InstanceError):
    """The instance has ended, so it takes no more messages."""


class InstanceConflictError(InstanceError):
    """The instance is in a state that forbids this: starting a running id."""


class InvalidInstanceIdError(InstanceError):
    """The id is too long, starts with ``@`` or holds a character that has a meaning in URLs or storage keys."""


class UnknownFunctionError(Exception):
    """The app has no enabled function of this name and kind ("orchestrator", "activity"); clients show the text."""

    def __init__(self, name: str, kind: str, known: frozenset[str]) -> None:
        names = "', '".join(sorted(known))
        listed = (
            f"The following are the known {kind} functions: '{names}'."
            if known
            else f"No {kind} functions are currently registered!"
        )
        super().__init__(
            f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. Additional info: {listed}"
        )
        self.name = name


class HubInUseError(Exception):
    """Another process owns the task hub's file."""
