"""A run as the API shows it: the ledger's record and, while it is under way, the custom status of its orchestrations.

Raises :class:`shared.errors.TransientError` when the host does not answer, which is not the same as "no such run".
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import azure.durable_functions as df

from function_app.api.models import ListedRun, RunView
from function_app.composition import Services
from function_app.durable_client import stage_of, status_of
from shared.decisions.explanations.known_so_far import KNOWN, with_known
from shared.decisions.reconciliation.orphans import Liveness, liveness_of
from shared.decisions.training.retry_schedule import is_tried_again
from shared.messages import CLAIMED, RunRecord

AT_ONCE = 8  # queries to the host at most, for a list of runs that are under way


async def run_view(client: df.DurableOrchestrationClient, services: Services, record: RunRecord) -> RunView:
    """The run, with its stage and progress while it has no outcome."""
    planned = await _planned(services, [record])
    if record.outcome is not None:
        return RunView(**_fields(record), next_try_at=planned.get(record.run_id))
    status = await status_of(client, record.run_id)
    shown = _live(status, record)
    progress = _custom(status).get("progress")
    if isinstance(progress, dict):
        shown["progress"] = progress | await _details(client, record.run_id, progress)
    return RunView(**shown)


async def listed(
    client: df.DurableOrchestrationClient, services: Services, records: Sequence[RunRecord]
) -> tuple[ListedRun, ...]:
    """Runs for a list. The ledger does not keep the stage of a run that is under way, so the host is queried for it."""
    room = asyncio.Semaphore(AT_ONCE)
    planned = await _planned(services, records)

    async def one(record: RunRecord) -> ListedRun:
        if record.outcome is not None:
            return ListedRun(**_fields(record), next_try_at=planned.get(record.run_id))
        async with room:
            status = await status_of(client, record.run_id)
        return ListedRun(**_live(status, record))

    return tuple(await asyncio.gather(*map(one, records)))


def _fields(record: RunRecord) -> dict[str, Any]:
    return {part.name: getattr(record, part.name) for part in fields(RunRecord)}


async def _planned(services: Services, records: Iterable[RunRecord]) -> dict[str, datetime]:
    """The times of run retries, for the runs that have one; nothing is queried when none can have one."""
    if not any(map(is_tried_again, records)):
        return {}
    return {retry.run_id: retry.at for retry in await asyncio.to_thread(services.ledger.retries.all)}


def _live(status: Any, record: RunRecord) -> dict[str, Any]:
    """A run without an outcome, with what its status says, and the sentence when its orchestration ended without one.

    ``status``: None when there is no such orchestration.
    """
    custom = _custom(status)
    known = with_known(record, custom.get(KNOWN))
    live: dict[str, Any] = _fields(known) | {"stage": stage_of(custom) or record.stage, "since": _since(custom)}
    ended = status.runtime_status.value if status is not None else None
    if liveness_of(ended) in {Liveness.COMPLETED, Liveness.FAILED, Liveness.TERMINATED}:
        live["reason"] = f"it stopped ({ended}) before it had an outcome; the app resumes or ends it within minutes"
    elif known.reason == CLAIMED:
        live["reason"] = "it is under way" if ended else "it has not started yet; the app starts it within minutes"
    return live


async def _details(client: df.DurableOrchestrationClient, run_id: str, progress: dict[str, Any]) -> dict[str, Any]:
    """The custom status of the stage's own orchestrations: queue or training, or one per target."""
    if isinstance(progress.get("details"), str):
        found = (await _custom_status(client, progress["details"])).get("progress")
        return found if isinstance(found, dict) else {}
    if isinstance(progress.get("targets"), list):
        names = [name for name in progress["targets"] if isinstance(name, str)]
        details = progress.get("details")
        ids: dict[Any, Any] = details if isinstance(details, dict) else {}
        children = {name: await _custom_status(client, str(ids.get(name) or f"{run_id}-{name}")) for name in names}
        doing = {name: _doing(child) for name, child in children.items()}
        shown = {"targets": doing, "doing": ", ".join(sorted(set(doing.values())))}
        roll_outs = {name: _roll_out(child) for name, child in children.items()}
        return shown | {"roll_outs": roll_outs} if any(roll_outs.values()) else shown
    return {}


def _doing(child: dict[str, Any]) -> str:
    progress = child.get("progress")
    said = progress.get("doing") if isinstance(progress, dict) else None
    return said if isinstance(said, str) else "waiting"


def _roll_out(child: dict[str, Any]) -> dict[str, Any]:
    """Phase and numbers of a roll-out by plans; empty for one that has not begun, or from before there were plans."""
    progress = child.get("progress")
    if not isinstance(progress, dict) or "phase" not in progress:
        return {}
    return {key: value for key, value in progress.items() if key not in {"target", "doing"}}


async def _custom_status(client: df.DurableOrchestrationClient, instance_id: str) -> dict[str, Any]:
    return _custom(await status_of(client, instance_id))


def _custom(status: Any) -> dict[str, Any]:
    return status.custom_status if status is not None and isinstance(status.custom_status, dict) else {}


def _since(custom: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(custom["since"])
    except (KeyError, TypeError, ValueError):
        return None
