"""What the host knows about one function of the app."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

HTTP_TRIGGER: Final = "httpTrigger"
EVENT_GRID_TRIGGER: Final = "eventGridTrigger"
TIMER_TRIGGER: Final = "timerTrigger"
SERVICE_BUS_TRIGGER: Final = "serviceBusTrigger"
ORCHESTRATION_TRIGGER: Final = "orchestrationTrigger"
ACTIVITY_TRIGGER: Final = "activityTrigger"
DURABLE_CLIENT: Final = "durableClient"
RETURN_BINDING: Final = "$return"
_KINDS: Final = {
    kind.lower(): kind
    for kind in (
        HTTP_TRIGGER,
        EVENT_GRID_TRIGGER,
        TIMER_TRIGGER,
        SERVICE_BUS_TRIGGER,
        ORCHESTRATION_TRIGGER,
        ACTIVITY_TRIGGER,
        DURABLE_CLIENT,
    )
}


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding as the app declared it; ``attributes`` has the camel-case keys of a ``function.json``."""

    name: str
    type: str
    direction: str
    """``IN`` or ``OUT``."""
    attributes: dict[str, Any] = field(repr=False)
    declared: str = ""
    """The type as the app spells it, by which the worker looks for a converter."""

    def __post_init__(self) -> None:
        # The host looks a type up in any case, the worker does not.
        object.__setattr__(self, "declared", self.declared or self.type)
        object.__setattr__(self, "type", _KINDS.get(self.type.lower(), self.type))


@dataclass(frozen=True, slots=True)
class HostedFunction:
    """A function that passed the worker's load-time checks and can be invoked."""

    name: str
    trigger: Binding
    bindings: tuple[Binding, ...]
    callable: Callable[..., Any] = field(repr=False)
    directory: str
    takes_context: bool = False
    disabled: bool = False
    has_retry_policy: bool = False

    @property
    def key(self) -> str:
        """The name as it is compared: the host ignores case."""
        return self.name.lower()

    @property
    def is_async(self) -> bool:
        """Whether the call must run on the event loop; everything else runs on the thread pool."""
        return inspect.iscoroutinefunction(self.callable)

    @property
    def returns_explicitly(self) -> bool:
        """Whether a ``$return`` binding takes the function's value (HTTP functions have one)."""
        return any(binding.name == RETURN_BINDING for binding in self.bindings)
