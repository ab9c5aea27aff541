"""The operation that shows one run."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

import azure.durable_functions as df

from function_app.api import models as m
from function_app.api.comparisons import beside_champion
from function_app.api.delivery_models import DecisionView
from function_app.api.file_changes import SECONDS
from function_app.api.run_views import run_view
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.messages import Approval, RunRecord, RunRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run as the API shows it, and what it was asked for; None for runs from before requests were kept."""

    view: m.RunView
    request: RunRequest | None


async def get_run(run_id: str, services: Services, client: df.DurableOrchestrationClient) -> m.RunView:
    """The run of that id, beside the champion's."""
    return (await look_at(run_id, services, client)).view


async def look_at(
    run_id: str, services: Services, client: df.DurableOrchestrationClient, *, patience: float = SECONDS
) -> KnownRun:
    """The run, beside the champion's; ``patience``: so many seconds the hub is waited for to tell how files differ."""
    record = await known_run(run_id, services)
    view, request = await asyncio.gather(
        run_view(client, services, record), asyncio.to_thread(services.ledger.runs.request, run_id)
    )
    beside = await beside_champion(view, services, patience=patience)
    decided = await asyncio.to_thread(_decided, request, services) if request else ()
    shown = replace(
        view,
        parameters=dict(request.parameters) if request else None,
        code=request.plan.job.tree if request and request.plan.job else "",
        beside=beside,
        decisions=decided,
    )
    return KnownRun(view=shown, request=request)


def _decided(request: RunRequest, services: Services) -> tuple[DecisionView, ...]:
    """The decisions on its roll-outs; nothing is asked for a run that needs none."""
    if request.plan.delivery.approval is None:
        return ()
    return decision_views(services.ledger.approvals.of(request.run_id, target.name) for target in request.plan.targets)


def decision_views(approvals: Iterable[Approval]) -> tuple[DecisionView, ...]:
    """Decisions as the API shows them; without those that nobody took yet."""
    return tuple(
        DecisionView(
            target=each.target,
            decision="approved" if each.approved else "superseded" if each.superseded_by else "rejected",
            by=each.superseded_by or each.by or "nobody",
            reason=each.reason,
            at=each.at,
        )
        for each in approvals
        if each.approved is not None and each.at is not None
    )


async def known_run(run_id: str, services: Services) -> RunRecord:
    """The record of that run; raises :class:`RefusedError` when there is none."""
    record = await asyncio.to_thread(services.ledger.runs.run, run_id)
    if record is None:
        raise RefusedError(404, "unknown_run", f"there is no run {run_id!r}; the list of runs has them all")
    return record
