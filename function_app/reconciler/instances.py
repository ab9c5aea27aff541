"""The reconciler's view of orchestrations: their status, and starting one again."""

from datetime import datetime
from typing import Any, Protocol

from function_app import durable_client
from function_app.durable_client import stage_of, status_of
from shared.decisions.reconciliation.orphans import InstanceStatus, liveness_of
from shared.values.wire import to_wire


class DurableClient(durable_client.DurableClient, Protocol):
    """The methods of the SDK's Durable client that are used here."""

    async def get_status_by(
        self, created_time_from: datetime, created_time_to: datetime, runtime_status: list[Any], /
    ) -> list[Any]:
        """The instances that were created between these moments and have one of these statuses; a page of them."""

    async def purge_instance_history(self, instance_id: str, /) -> Any:
        """Remove an instance that has ended, with its history; nothing when there is none."""

    async def terminate(self, instance_id: str, reason: str, /) -> Any:
        """End an instance where it stands; nothing when it has ended already."""


async def look_up(client: DurableClient, instance_id: str) -> InstanceStatus:
    """The status of an instance."""
    status = await status_of(client, instance_id)
    if status is None:
        return InstanceStatus(life=liveness_of(None))
    return InstanceStatus(
        life=liveness_of(status.runtime_status.value),
        said=status.output if isinstance(status.output, str) else "",
        stage=stage_of(status.custom_status),
        deployed=isinstance(status.output, dict) and status.output.get("deployed") is True,
        updated_at=status.last_updated_time,
    )


async def start(client: DurableClient, name: str, instance_id: str, request: object) -> None:
    """Start an orchestration that was found dead. The host refuses it when another start was quicker."""
    await client.start_new(name, instance_id, to_wire(request))
