"""Runs that wait for somebody's approval give way to what operators do by hand; runs that roll out do not."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import azure.durable_functions as df

from function_app.composition import Services
from function_app.durable_client import phase_of, stage_of, status_of
from function_app.run_hands import wake
from shared.decisions.delivery.superseding import only_waits, superseded, why_it_takes_over
from shared.decisions.reconciliation.orphans import Liveness, liveness_of
from shared.messages import Action, RolloutPhase, RunRequest, Stage
from shared.orchestration_ids import roll_out_id


async def is_waiting(request: RunRequest, client: df.DurableOrchestrationClient) -> bool:
    """Whether all that the run does is to wait for approval."""
    if request.plan.delivery.approval is None:
        return False
    status = await status_of(client, request.run_id)
    if status is None or stage_of(status.custom_status) is not Stage.ROLLING_OUT:
        return False
    return only_waits(await _phases(request, client))


async def give_way(
    action: Action, requests: Sequence[RunRequest], services: Services, client: df.DurableOrchestrationClient
) -> None:
    """End the waits; also done, later, by the action when it asks for its turn, should the app die before."""
    now, why = datetime.now(UTC), why_it_takes_over(action)
    for request in requests:
        for decision in superseded(request, by=action.action_id, why=why, now=now):
            await asyncio.to_thread(services.ledger.approvals.decide, decision)
            await wake(client, roll_out_id(request, decision.target), request.run_id)


async def _phases(request: RunRequest, client: df.DurableOrchestrationClient) -> list[RolloutPhase | None]:
    found = [await status_of(client, roll_out_id(request, target.name)) for target in request.plan.targets]
    return [
        phase_of(status.custom_status)
        for status in found
        if status is not None and liveness_of(status.runtime_status.value) is Liveness.ALIVE
    ]
