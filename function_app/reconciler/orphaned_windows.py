"""Windows whose owner died: settled again, or judged, so that no arrival stays without a verdict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from function_app.reconciler.cycle_context import Pass
from function_app.reconciler.instances import look_up, start
from function_app.services import Services
from shared.decisions.reconciliation.orphans import Life, Start, first_line, owner_is_gone, recent, window_step
from shared.decisions.reconciliation.troubles import Aspect, Found
from shared.errors import PermanentError
from shared.messages import ArrivalWindow, TroubleKind, WindowVerdict

if TYPE_CHECKING:
    from shared.clients.ledger import UnfinishedWindow


async def adopt_windows(this: Pass) -> list[UnfinishedWindow]:
    """Adopt what is orphaned; all windows that are not judged, as the pass found them."""
    unfinished: list[UnfinishedWindow] = []
    with this.guard("list the windows that are not judged"):
        unfinished = await asyncio.to_thread(this.services.ledger.arrivals.unfinished_windows)
        this.undecided = {found.window.pipeline for found in unfinished}
    for found in unfinished:
        with this.guard(f"adopt window {found.window.window_id}"):
            await _adopt(this, found)
    return unfinished


async def _adopt(this: Pass, found: UnfinishedWindow) -> None:
    window, ledger = found.window, this.services.ledger
    if recent(window.opened_at, this.now):
        return
    settling = await look_up(this.client, window.window_id)
    if settling.life is Life.ALIVE and not found.started:
        await asyncio.to_thread(ledger.arrivals.window_started, window)
    if not owner_is_gone(window.opened_at, settling, this.now):
        return
    step = window_step(
        window,
        settling,
        judged=await asyncio.to_thread(ledger.arrivals.verdict_on, window.pipeline, window.window_id),
        run=await asyncio.to_thread(ledger.runs.claimed_by, window.pipeline, window.window_id),
        trouble=_trouble(this.services, window.pipeline),
        now=this.now,
    )
    if step is None:
        return
    if isinstance(step, Start):
        if settling.life is Life.FAILED:
            cause = f"window {window.window_id} cannot be decided on: {first_line(settling.said)}"
            this.finds(window.pipeline, Aspect.WINDOWS, [Found(TroubleKind.UNDECIDED, cause)])
        await start(this.client, "settle_arrivals", window.window_id, window)
        await asyncio.to_thread(ledger.arrivals.window_started, window)
        this.done["windows settled again"] += 1
    else:
        await asyncio.to_thread(_judge, this.services, window, step)
        this.done["windows judged"] += 1


def _trouble(services: Services, pipeline: str) -> str:
    try:
        services.pipelines.get(pipeline)
    except PermanentError as error:
        return error.reason
    return ""


def _judge(services: Services, window: ArrivalWindow, verdict: WindowVerdict) -> None:
    # First closed, so that nothing joins a window that is judged already.
    services.ledger.arrivals.close_window(window)
    services.ledger.arrivals.record_verdict(verdict)
