"""A broker in memory, with a clock that stands still until told."""

from typing import Any

from local_stack.service_bus.config import Entities
from local_stack.service_bus.core import Broker
from local_stack.service_bus.journal import SqliteJournal
from local_stack.service_bus.records import Draft


class Clock:
    """Seconds since the epoch."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def entities(*queues: dict[str, Any], topics: list[dict[str, Any]] | None = None) -> Entities:
    namespace = {"Name": "sbemulatorns", "Queues": list(queues), "Topics": topics or []}
    return Entities.model_validate({"UserConfig": {"Namespaces": [namespace]}})


def queue(name: str = "orders", **properties: Any) -> dict[str, Any]:
    return {"Name": name, "Properties": {"LockDuration": "PT30S", "MaxDeliveryCount": 3, **properties}}


def broker(*queues: dict[str, Any], topics: list[dict[str, Any]] | None = None, clock: Clock | None = None) -> Broker:
    return entities(*queues, topics=topics).broker(SqliteJournal(":memory:"), clock or Clock())


def draft(content: str = "body", *, message_id: str | None = None) -> Draft:
    return Draft(content.encode(), message_id)
