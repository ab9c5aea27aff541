"""A run as people see it: the ledger's record, and while it is under way what its orchestrations say."""

from dataclasses import fields
from datetime import datetime
from typing import Any

import azure.durable_functions as df

from function_app.api.models import RunView
from shared.messages import RunRecord, Stage


async def run_view(client: df.DurableOrchestrationClient, record: RunRecord) -> RunView:
    """The run, with its stage and progress while it has no outcome."""
    shown = {part.name: getattr(record, part.name) for part in fields(RunRecord)}
    if record.outcome is not None:
        return RunView(**shown)
    custom = await _custom_status(client, record.run_id)
    shown |= {"stage": stage_of(custom) or record.stage, "since": _since(custom)}
    progress = custom.get("progress")
    if isinstance(progress, dict):
        shown["progress"] = progress | await _details(client, record.run_id, progress)
    return RunView(**shown)


def stage_of(custom_status: Any) -> Stage | None:
    """The stage that an orchestration says it is in; None for one that this version of the app does not know."""
    said = custom_status.get("stage") if isinstance(custom_status, dict) else None
    return Stage(said) if said in set(Stage) else None


async def _details(client: df.DurableOrchestrationClient, run_id: str, progress: dict[str, Any]) -> dict[str, Any]:
    """What the orchestrations of a stage's own know: the queue's or the training's, or one per target."""
    if isinstance(progress.get("details"), str):
        found = (await _custom_status(client, progress["details"])).get("progress")
        return found if isinstance(found, dict) else {}
    if isinstance(progress.get("targets"), list):
        ids = progress.get("details") or {name: f"{run_id}-{name}" for name in progress["targets"]}
        children = {name: await _custom_status(client, ids[name]) for name in progress["targets"]}
        doing = {name: (child.get("progress") or {}).get("doing", "waiting") for name, child in children.items()}
        return {"targets": doing, "doing": ", ".join(sorted(set(doing.values())))}
    return {}


async def _custom_status(client: df.DurableOrchestrationClient, instance_id: str) -> dict[str, Any]:
    status = await client.get_status(instance_id)
    return status.custom_status if isinstance(status.custom_status, dict) else {}


def _since(custom: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(custom["since"])
    except (KeyError, TypeError, ValueError):
        return None
