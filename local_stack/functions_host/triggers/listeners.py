"""Which function gets which listener.

To serve another trigger, write its :class:`Listener` beside ``timer.py`` and add a row to ``_BUILDERS``.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from local_stack.functions_host import functions as kinds
from local_stack.functions_host.config import ServiceBusOptions
from local_stack.functions_host.functions import HostedFunction
from local_stack.functions_host.invoker import AppInvoker
from local_stack.functions_host.triggers.service_bus import ServiceBusListener
from local_stack.functions_host.triggers.timer import TimerListener

log = logging.getLogger("functions_host.triggers")


class Listener(Protocol):
    """Something that runs a function when its moment comes."""

    def start(self) -> None:
        """Begin to listen; called on the event loop, once."""
        ...

    async def stop(self, grace: timedelta) -> None:
        """Start nothing new, give a running call this long to end, then cancel it."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a listener may need of the host."""

    invoker: AppInvoker
    settings: Mapping[str, str]
    state: Path
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)


_PUSHED: Final = frozenset(
    {kinds.HTTP_TRIGGER, kinds.EVENT_GRID_TRIGGER, kinds.ORCHESTRATION_TRIGGER, kinds.ACTIVITY_TRIGGER}
)


def _timer(function: HostedFunction, host: Surroundings) -> Listener:
    return TimerListener.for_function(function, host.invoker, host.settings, host.state / "timers")


def _service_bus(function: HostedFunction, host: Surroundings) -> Listener | None:
    return ServiceBusListener.for_function(function, host.invoker, host.settings, host.service_bus)


_BUILDERS: Final[Mapping[str, Callable[[HostedFunction, Surroundings], Listener | None]]] = {
    kinds.SERVICE_BUS_TRIGGER: _service_bus,
    kinds.TIMER_TRIGGER: _timer,
}


def build_listeners(host: Surroundings) -> list[Listener]:
    """One listener for each enabled function that needs one. Raises what a builder raises on a bad declaration."""
    listeners: list[Listener] = []
    for function in host.invoker.functions:
        if function.disabled or function.trigger.type in _PUSHED:
            continue
        if function.has_retry_policy:
            log.warning("retry policy ignored function=%s", function.name)
        listener = _BUILDERS[function.trigger.type](function, host)
        if listener is None:
            log.error("NOTHING LISTENS FOR function=%s trigger=%s", function.name, function.trigger.type)
            continue
        listeners.append(listener)
    return listeners
