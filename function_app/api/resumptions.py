"""Resume a run that ended after its training."""
# ruff: noqa: ARG001 - bodies follow

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.handlers import Located
from function_app.api.runs import known_run
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.messages import Actor


async def resume_run(
    run_id: str, body: m.HandBody, actor: Actor, services: Services, client: df.DurableOrchestrationClient
) -> Located[d.Resumed]:
    """Start an attempt that goes on from there."""
    await known_run(run_id, services)
    raise RefusedError(409, "not_resumable", f"run {run_id} cannot be resumed; start a run with force")
