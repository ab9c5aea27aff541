"""Purge the histories of orchestrations that ended long ago, but those of runs whose records stay."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from function_app.reconciler.instances import DurableClient

if TYPE_CHECKING:
    from shared.clients.ledger.upkeep import UpkeepLedger

_FIRST = datetime(2020, 1, 1, tzinfo=UTC)  # there is no older orchestration
_ENDED = [
    df.OrchestrationRuntimeStatus.Completed,
    df.OrchestrationRuntimeStatus.Failed,
    df.OrchestrationRuntimeStatus.Terminated,
    df.OrchestrationRuntimeStatus.Canceled,
]
_WHAT = "histories of orchestrations"


async def purge_histories(
    client: DurableClient, *, before: datetime, kept: Collection[str], most: int, upkeep: UpkeepLedger, now: datetime
) -> int:
    """Purge at most so many that were begun before that moment and have ended; how many went.

    By id, because the host's own filter cannot leave out what must stay: orchestrations whose ids begin with a run in
    ``kept``. The host gives a list in pages, of which the client reads the first; where all of it stays, the next step
    goes on after it.
    """
    last = await asyncio.to_thread(upkeep.last, _WHAT)
    start = datetime.fromisoformat(last.seen) if last and last.seen else _FIRST
    found: list[Any] = await client.get_status_by(start, before, _ENDED)
    gone = 0
    for status in found:
        if gone == most:
            break
        if not _stays(status.instance_id, kept):
            await client.purge_instance_history(status.instance_id)
            gone += 1
    ends_here = gone == 0 and bool(found)
    following = max(status.created_time for status in found) + timedelta(milliseconds=1) if ends_here else None
    await asyncio.to_thread(upkeep.note, _WHAT, now, following.astimezone(UTC).isoformat() if following else "")
    return gone


def _stays(instance_id: str, kept: Collection[str]) -> bool:
    """Whether it is a run in ``kept``, or one of its parts: their ids are the run's and a word."""
    return any(instance_id == run_id or instance_id.startswith(f"{run_id}-") for run_id in kept)
