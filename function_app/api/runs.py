"""The operation that shows one run."""

import asyncio

import azure.durable_functions as df

from function_app.api import models as m
from function_app.api.run_views import run_view
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.messages import RunRecord


async def get_run(run_id: str, services: Services, client: df.DurableOrchestrationClient) -> m.RunView:
    """The run of that id."""
    return await run_view(client, services, await known_run(run_id, services))


async def known_run(run_id: str, services: Services) -> RunRecord:
    """The record of that run; raises :class:`RefusedError` when there is none."""
    record = await asyncio.to_thread(services.ledger.runs.run, run_id)
    if record is None:
        raise RefusedError(404, "unknown_run", f"there is no run {run_id!r}; GET /api/runs lists them")
    return record
