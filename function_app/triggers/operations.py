"""The HTTP API's bindings, one a row of ``function_app.api.operations``."""

import asyncio
from collections.abc import Callable
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from function_app.api.operations import OPERATIONS, Operation
from function_app.composition import Services
from function_app.problems import answers_problems
from function_app.refusals import of_old_secrets
from shared.errors import PermanentError
from shared.telemetry import span, trace_from_host
from shared.values.traces import FIELD, trace_from_outside


def blueprint(services: Services) -> df.Blueprint:
    """Every operation needs a function key, except those that say otherwise."""
    bp = df.Blueprint()
    for operation in OPERATIONS:
        level = func.AuthLevel.FUNCTION if operation.keyed else func.AuthLevel.ANONYMOUS
        function = answers_problems(_function(operation, services))
        if operation.durable:
            function = bp.durable_client_input(client_name="client")(function)
        bp.route(route=f"api/{operation.path}", methods=[operation.method], auth_level=level)(function)
    return bp


def _function(operation: Operation, services: Services) -> Callable[..., Any]:
    """The function that the host calls; the worker takes its bindings from its name and its parameters."""

    async def plain(req: func.HttpRequest) -> func.HttpResponse:
        return await _respond(operation, req, services, None)

    async def durable(
        req: func.HttpRequest, client: df.DurableOrchestrationClient, context: func.Context
    ) -> func.HttpResponse:
        if operation.method == "GET":  # people and programs that watch a run ask often, and start nothing
            return await _respond(operation, req, services, client)
        parent = trace_from_outside(req.headers.get(FIELD)) or trace_from_host(context)
        with span(operation.name, parent):
            return await _respond(operation, req, services, client)

    chosen = durable if operation.durable else plain
    chosen.__name__ = chosen.__qualname__ = operation.name
    return chosen


async def _respond(
    operation: Operation, req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient | None
) -> func.HttpResponse:
    from function_app.api.handlers import respond

    generation = services.generation
    try:
        return await respond(operation, req, services, client)
    except PermanentError as error:
        changed = await asyncio.to_thread(of_old_secrets, error, services, generation)
        raise (changed or error) from None
