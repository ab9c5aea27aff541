"""The durable client's few operations that triggers use, over instances in memory."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import azure.durable_functions as df

RuntimeStatus = df.OrchestrationRuntimeStatus


@dataclass
class Instance:
    """An orchestration: who it is, what it was given, what it shows.

    ``message``: the empty answer that the SDK keeps of an instance that there is not.
    """

    name: str = ""
    given: Any = None
    runtime_status: Any = None
    custom_status: Any = None
    output: Any = None
    last_updated_time: datetime | None = None
    created_time: datetime | None = None
    instance_id: str = ""
    message: str = ""


@dataclass
class MemoryClient:
    """Starts instances and shows them. ``shows``: the custom status that a new one has at once.

    ``raised``: the events, by instance and name; a ``deaf`` one takes none.
    """

    shows: Any = None
    instances: dict[str, Instance] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    raised: list[tuple[str, str]] = field(default_factory=list)
    deaf: bool = False
    page: int = 100

    async def get_status(self, instance_id: str) -> Instance:
        return self.instances.get(instance_id, Instance())

    async def start_new(self, name: str, instance_id: str, given: Any) -> str:
        kept = self.instances.get(instance_id)
        if kept is not None and kept.runtime_status is RuntimeStatus.Running:
            raise Exception("409: it is running")
        self.instances[instance_id] = Instance(name, given, RuntimeStatus.Running, self.shows)
        self.started.append(instance_id)
        return instance_id

    async def raise_event(self, instance_id: str, name: str, data: Any = None) -> None:
        if self.deaf:
            raise Exception("there is no such instance")
        self.raised.append((instance_id, name))

    async def terminate(self, instance_id: str, reason: str) -> None:
        self.instances[instance_id].runtime_status = RuntimeStatus.Terminated
        self.instances[instance_id].output = reason

    async def get_status_by(self, start: datetime, end: datetime, statuses: list[Any]) -> list[Instance]:
        """As the host gives them: in pages, of which the client reads the first."""
        found = [
            replace(instance, instance_id=instance_id)
            for instance_id, instance in sorted(self.instances.items())
            if instance.created_time and start <= instance.created_time <= end and instance.runtime_status in statuses
        ]
        return found[: self.page]

    async def purge_instance_history(self, instance_id: str) -> None:
        self.instances.pop(instance_id, None)

    def ended(self, instance_id: str, custom_status: Any, status: Any = RuntimeStatus.Completed) -> None:
        """Let an instance be over."""
        self.instances[instance_id] = Instance("request_run", None, status, custom_status)
