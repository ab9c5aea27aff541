"""HTTP functions that use every call of the durable client."""

import json
from collections.abc import Awaitable
from datetime import datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func


def _answer(value: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), mimetype="application/json")


def _shown(status: Any) -> dict[str, object]:
    if not status:  # the client's form of an unknown instance, which to_json() cannot show
        return {"known": False}
    return {**status.to_json(), "known": True, "historyEvents": getattr(status, "historyEvents", None)}


async def _accepted(call: Awaitable[object]) -> func.HttpResponse:
    """202 when the client call worked, 409 with its text when it raised: the client raises bare exceptions."""
    try:
        await call
    except Exception as error:  # noqa: BLE001
        return func.HttpResponse(str(error), status_code=409)
    return func.HttpResponse(status_code=202)


def blueprint() -> df.Blueprint:
    """One route per client call."""
    bp = df.Blueprint()
    _starting(bp)
    _asking(bp)
    _steering(bp)
    return bp


def _starting(bp: df.Blueprint) -> None:

    @bp.route(route="client/start/{name}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    @bp.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        body = req.get_body()
        given = json.loads(body) if body else None
        try:
            instance_id = await client.start_new(req.route_params["name"], req.params.get("id"), given)
        except Exception as error:  # noqa: BLE001 - the client raises nothing narrower
            return func.HttpResponse(str(error), status_code=409)
        return client.create_check_status_response(req, instance_id)

    @bp.route(route="client/run/{name}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    @bp.durable_client_input(client_name="client")
    async def run(
        req: func.HttpRequest, client: df.DurableOrchestrationClient, context: func.Context
    ) -> func.HttpResponse:
        body = req.get_body()
        instance_id = await client.start_new(req.route_params["name"], client_input=json.loads(body) if body else None)
        return await client.wait_for_completion_or_create_check_status_response(
            req, instance_id, int(req.params.get("wait", "30000")), 50
        )


def _asking(bp: df.Blueprint) -> None:
    @bp.route(route="client/status/{id?}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    @bp.durable_client_input(client_name="client")
    async def status(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        if "id" not in req.route_params:
            return _answer([_shown(item) for item in await client.get_status_all()])
        detailed = req.params.get("detailed") == "yes"
        found = await client.get_status(
            req.route_params["id"], show_history=detailed, show_history_output=detailed, show_input=detailed
        )
        return _answer(_shown(found))

    @bp.route(route="client/past/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    @bp.durable_client_input(client_name="client")
    async def past(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        ended = [df.OrchestrationRuntimeStatus.Completed, df.OrchestrationRuntimeStatus.Terminated]
        start, end = (datetime.fromisoformat(req.params[name]) for name in ("from", "to"))
        found = await client.get_status_by(start, end, ended)
        purged = await client.purge_instance_history(req.route_params["id"])
        return _answer({"found": [item.instance_id for item in found], "purged": purged.instances_deleted})


def _steering(bp: df.Blueprint) -> None:
    @bp.route(route="client/raise/{id}/{event}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    @bp.durable_client_input(client_name="client")
    async def raise_event(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        return await _accepted(client.raise_event(req.route_params["id"], req.route_params["event"], req.get_json()))

    @bp.route(route="client/{operation}/{id}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    @bp.durable_client_input(client_name="client")
    async def control(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        operations = {
            "terminate": client.terminate,
            "suspend": client.suspend,
            "resume": client.resume,
            "rewind": client.rewind,
        }
        operation = operations[req.route_params["operation"]]
        return await _accepted(operation(req.route_params["id"], req.params.get("reason", "why not")))
