"""The durable client that the app's triggers use, on the engine in this process."""

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df

from local_stack.functions_host.durable.interfaces import InstanceNotFoundError
from tests.unit.functions_host.durable.harness import Host

RUNTIME = df.OrchestrationRuntimeStatus


class HubClient:
    """The durable client's few operations, on the engine in this process."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def get_status(self, instance_id: str) -> Any:
        try:
            status = await self._host.hub.get(instance_id)
        except InstanceNotFoundError:
            return SimpleNamespace(runtime_status=None, message="", custom_status=None, output=None)
        return SimpleNamespace(
            runtime_status=RUNTIME(status.runtime_status),
            custom_status=json.loads(status.custom_status) if status.custom_status else None,
            output=status.output,
            last_updated_time=status.last_updated_at,
        )

    async def start_new(self, name: str, instance_id: str, client_input: Any) -> str:
        return await self._host.hub.start_new(name, instance_id, json.dumps(json.dumps(client_input)))

    async def terminate(self, instance_id: str, reason: str) -> None:
        await self._host.hub.terminate(instance_id, reason)

    async def raise_event(self, instance_id: str, name: str, data: Any) -> None:
        await self._host.hub.raise_event(instance_id, name, json.dumps(data))

    async def get_status_by(self, start: datetime, end: datetime, statuses: list[Any]) -> list[Any]:
        """Nothing here grows old."""
        return []

    async def purge_instance_history(self, instance_id: str) -> None:
        await self._host.hub.purge(instance_id)
