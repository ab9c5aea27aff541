"""Approve or reject the roll-out of a run's model."""
# ruff: noqa: ARG001 - bodies follow

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.runs import known_run
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.messages import Actor


async def approve_run(
    run_id: str, body: m.ApproveBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> d.Decided:
    """Let the model be rolled out."""
    raise await _nothing_waits(run_id, services)


async def reject_run(
    run_id: str, body: m.RejectBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> d.Decided:
    """Keep the model from its targets."""
    raise await _nothing_waits(run_id, services)


async def _nothing_waits(run_id: str, services: Services) -> RefusedError:
    await known_run(run_id, services)
    return RefusedError(409, "not_waiting", f"no target of run {run_id} waits for a decision")
