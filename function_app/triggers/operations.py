"""The HTTP API's bindings. What each operation does is in ``function_app.api``, imported when it is first asked."""

import asyncio

import azure.durable_functions as df
import azure.functions as func

from function_app.problems import answer, answers_problems
from function_app.services import Services


def blueprint(services: Services) -> df.Blueprint:
    """Every operation needs a function key, except the health check."""
    bp = df.Blueprint()

    @bp.route(route="pipelines/{name}/runs", methods=["POST"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def start_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.api.starts import start_run as body

        return await body(req, services, client)

    @bp.route(route="pipelines/{name}/release", methods=["POST"])
    @answers_problems
    async def release(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.api.releases import release as body

        return answer(await asyncio.to_thread(body, req, services))

    @bp.route(route="runs/{run_id}/cancel", methods=["POST"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def cancel_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.api.cancels import cancel_run as body

        return answer(await body(req, services, client))

    _lookups(bp, services)
    _explanations(bp, services)
    return bp


def _lookups(bp: df.Blueprint, services: Services) -> None:
    """What the ledger and the pipelines' files show."""

    @bp.route(route="runs", methods=["GET"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def list_runs(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.api.lists import list_runs as body

        return answer(await body(req, services, client))

    @bp.route(route="runs/{run_id}", methods=["GET"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def get_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.api.runs import get_run as body

        return answer(await body(req, services, client))

    @bp.route(route="pipelines", methods=["GET"])
    @answers_problems
    async def list_pipelines(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.api.lists import list_pipelines as body

        return answer(await asyncio.to_thread(body, req, services))

    @bp.route(route="pipelines/{name}", methods=["GET"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def get_pipeline(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.api.lists import get_pipeline as body

        return answer(await body(req, services, client))

    @bp.route(route="pipelines/{name}/arrivals", methods=["GET"])
    @answers_problems
    async def list_arrivals(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.api.lists import list_arrivals as body

        return answer(await asyncio.to_thread(body, req, services))

    @bp.route(route="arrivals", methods=["GET"])
    @answers_problems
    async def list_strays(req: func.HttpRequest) -> func.HttpResponse:
        from function_app.api.lists import list_strays as body

        return answer(await asyncio.to_thread(body, req, services))


def _explanations(bp: df.Blueprint, services: Services) -> None:
    """Why things are as they are, and what can be asked."""

    @bp.route(route="why", methods=["GET"])
    @bp.durable_client_input(client_name="client")
    @answers_problems
    async def why(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        from function_app.api.reasons import why as body

        return answer(await body(req, services, client))

    @bp.route(route="openapi.json", methods=["GET"])
    @answers_problems
    async def openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
        from function_app.api.openapi import document

        return answer(await asyncio.to_thread(document))

    @bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
        return answer({"status": "ok"})
