"""One run."""

import asyncio

import azure.durable_functions as df
import azure.functions as func

from function_app.api import models as m
from function_app.api.reading import query_of
from function_app.problems import RefusedError
from function_app.services import Services
from function_app.views import run_view


async def get_run(req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient) -> m.RunView:
    """The run of that id."""
    query_of(m.NothingAsked, req.params)
    run_id = req.route_params["run_id"]
    record = await asyncio.to_thread(services.ledger.runs.run, run_id)
    if record is None:
        raise RefusedError(404, "unknown_run", f"there is no run {run_id!r}; GET /api/runs lists them")
    return await run_view(client, services, record)
