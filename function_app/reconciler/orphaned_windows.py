"""Orphaned windows: settled again or decided, so that every arrival gets a verdict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from function_app.composition import Services
from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.instances import look_up, start
from shared.decisions.reconciliation.orphans import (
    Liveness,
    StartAgain,
    decide_orphaned_window,
    first_line,
    owner_is_gone,
    within_grace,
)
from shared.decisions.reconciliation.troubles import Aspect, Finding
from shared.errors import PermanentError
from shared.messages import ArrivalWindow, TroubleKind, WindowVerdict

if TYPE_CHECKING:
    from shared.clients.ledger import UnfinishedWindow


async def recover_windows(context: CycleContext) -> list[UnfinishedWindow]:
    """Adopt orphaned windows; returns all windows without a verdict at the start of the cycle."""
    unfinished: list[UnfinishedWindow] = []
    with context.guard("list the windows that are not decided"):
        unfinished = await asyncio.to_thread(context.services.ledger.arrivals.unfinished_windows)
        context.undecided = {found.window.pipeline for found in unfinished}
    for found in unfinished:
        with context.guard(f"resume window {found.window.window_id}"):
            await _recover(context, found)
    return unfinished


async def _recover(context: CycleContext, found: UnfinishedWindow) -> None:
    window, ledger = found.window, context.services.ledger
    if within_grace(window.opened_at, context.now):
        return
    settling = await look_up(context.client, window.window_id)
    if settling.life is Liveness.ALIVE and not found.started:
        await asyncio.to_thread(ledger.arrivals.window_started, window)
    if not owner_is_gone(window.opened_at, settling, context.now):
        return
    step = decide_orphaned_window(
        window,
        settling,
        verdict=await asyncio.to_thread(ledger.arrivals.verdict_on, window.pipeline, window.window_id),
        run=await asyncio.to_thread(ledger.runs.claimed_by, window.pipeline, window.window_id),
        trouble=_trouble(context.services, window.pipeline),
        now=context.now,
    )
    if step is None:
        return
    if isinstance(step, StartAgain):
        if settling.life is Liveness.FAILED:
            cause = f"window {window.window_id} could not be decided on: {first_line(settling.said)}"
            context.add_findings(window.pipeline, Aspect.WINDOWS, [Finding(TroubleKind.UNDECIDED, cause)])
        await start(context.client, "settle_arrivals", window.window_id, window)
        await asyncio.to_thread(ledger.arrivals.window_started, window)
        context.done["windows resumed"] += 1
    else:
        await asyncio.to_thread(_record_verdict, context.services, window, step)
        context.done["windows decided"] += 1


def _trouble(services: Services, pipeline: str) -> str:
    try:
        services.pipelines.get(pipeline)
    except PermanentError as error:
        return error.reason
    return ""


def _record_verdict(services: Services, window: ArrivalWindow, verdict: WindowVerdict) -> None:
    # First closed, so that nothing joins a window that is decided already.
    services.ledger.arrivals.close_window(window)
    services.ledger.arrivals.record_verdict(verdict)
