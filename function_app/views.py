"""What the HTTP API shows: the ledger's record, and while a run is under way what its orchestrations say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from shared.messages import Champion, RunRecord
from shared.wire import to_wire

if TYPE_CHECKING:
    from shared.pipelines import Pipeline


async def run_view(client: df.DurableOrchestrationClient | None, record: RunRecord) -> dict[str, Any]:
    """A run as people see it. ``client`` is None for lists: they show the ledger only."""
    shown: dict[str, Any] = to_wire(record)
    if client is None or record.outcome is not None:
        return shown
    custom = await _custom_status(client, record.run_id)
    shown |= custom
    progress = custom.get("progress")
    if isinstance(progress, dict):
        shown["progress"] = progress | await _details(client, record.run_id, progress)
    return shown


async def _details(client: df.DurableOrchestrationClient, run_id: str, progress: dict[str, Any]) -> dict[str, Any]:
    """What the orchestrations of a stage's own know: the training's, or one per target of the roll-out."""
    if isinstance(progress.get("details"), str):
        found = (await _custom_status(client, progress["details"])).get("progress")
        return found if isinstance(found, dict) else {}
    if isinstance(progress.get("targets"), list):
        children = {name: await _custom_status(client, f"{run_id}-{name}") for name in progress["targets"]}
        doing = {name: (child.get("progress") or {}).get("doing", "waiting") for name, child in children.items()}
        return {"targets": doing, "doing": ", ".join(sorted(set(doing.values())))}
    return {}


async def _custom_status(client: df.DurableOrchestrationClient, instance_id: str) -> dict[str, Any]:
    status = await client.get_status(instance_id)
    return status.custom_status if isinstance(status.custom_status, dict) else {}


def pipeline_view(pipeline: Pipeline, champion: Champion) -> dict[str, Any]:
    """A pipeline as its file says, and who its champion is."""
    shown: dict[str, Any] = pipeline.model_dump(mode="json")
    shown["champion"] = to_wire(champion) if champion.run_id else None
    return shown
