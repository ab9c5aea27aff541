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
    status = await client.get_status(record.run_id)
    custom = status.custom_status if status.runtime_status is not None else None
    if isinstance(custom, dict):
        shown |= custom
        shown["progress"] = await _progress(client, custom)
    return shown


async def _progress(client: df.DurableOrchestrationClient, custom: dict[str, Any]) -> dict[str, Any]:
    """A stage that runs as an orchestration of its own names it under ``details``; that one knows more."""
    progress: dict[str, Any] = dict(custom.get("progress") or {})
    details = progress.get("details")
    if isinstance(details, str):
        child = await client.get_status(details)
        if isinstance(child.custom_status, dict):
            progress |= child.custom_status.get("progress") or {}
    return progress


def pipeline_view(pipeline: Pipeline, champion: Champion) -> dict[str, Any]:
    """A pipeline as its file says, and who its champion is."""
    shown: dict[str, Any] = pipeline.model_dump(mode="json")
    shown["champion"] = to_wire(champion) if champion.run_id else None
    return shown
