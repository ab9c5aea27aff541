"""A world for the reconciler: the real ledger over memory, orchestrations in memory, time as a value."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml

from function_app.reconciler.cycle_context import CycleContext
from shared.clients.ledger import Ledger
from shared.messages import Arrival, ArrivalWindow, RunRequest
from shared.pipelines import Pipelines
from tests.support.api import MemoryServices
from tests.support.arrivals import a_pipeline, an_arrival
from tests.support.builders import a_run_request
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.ledger_arrivals import join
from tests.support.workflow import START

Found = TypeVar("Found")
PIPELINE = "breast-cancer"
LONG_AGO = timedelta(minutes=10)  # longer than any grace


@dataclass
class WatchedWorld:
    """What a cycle finds. ``folder`` holds the pipelines' files."""

    folder: Path
    now: datetime = START + LONG_AGO
    client: MemoryClient = field(default_factory=MemoryClient)
    services: MemoryServices = field(init=False)

    def __post_init__(self) -> None:
        self.has_pipeline(PIPELINE)

    @property
    def ledger(self) -> Ledger:
        return self.services.ledger

    def has_pipeline(self, name: str, **changes: Any) -> None:
        """Deploy the app with this pipeline too; what the ledger and the hub hold stays."""
        values = a_pipeline(name).model_dump(mode="json", exclude_defaults=True) | changes
        self.has_file(name, yaml.safe_dump(values))

    def has_file(self, name: str, text: str | None) -> None:
        """Deploy the app with this text as the pipeline's file, or without it."""
        path = self.folder / f"{name}.yaml"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, encoding="utf-8")
        if hasattr(self, "services"):
            self.services.__dict__["pipelines"] = Pipelines(self.folder)
        else:
            self.services = MemoryServices(self.folder)

    def arrives(self, pipeline: str = PIPELINE, **changes: Any) -> tuple[Arrival, ArrivalWindow]:
        """An arrival, and the window that it opened and nobody started."""
        arrival = an_arrival(**changes)
        start = join(self.ledger.arrivals, pipeline, arrival).start
        assert start is not None
        return arrival, start

    def claims(self, **changes: Any) -> RunRequest:
        """A run that was claimed and that nobody started."""
        return self.ledger.runs.claim_run(a_run_request(**changes))

    def has_instance(self, instance_id: str, status: Any, **shown: Any) -> None:
        """An orchestration in this state."""
        known: dict[str, Any] = {"name": "before", "last_updated_time": START} | shown
        self.client.instances[instance_id] = Instance(runtime_status=status, **known)

    def cycle(self, step: Callable[[CycleContext], Awaitable[Found]]) -> tuple[CycleContext, Found]:
        """Let one step of a pass run now."""
        context = CycleContext(self.services, self.client, self.now)

        async def run() -> Found:
            return await step(context)

        return context, asyncio.run(run())

    def started(self, instance_id: str) -> str:
        """The name of the orchestration that was started under this id."""
        assert self.client.started.count(instance_id) == 1, f"{instance_id} not once in {self.client.started}"
        return self.client.instances[instance_id].name


STATUSES = [None, *RuntimeStatus]
