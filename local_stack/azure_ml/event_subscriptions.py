"""What Azure Resource Manager says of the subscriptions of Event Grid topics: asked of that stand-in's control API."""

import json
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.workspace import Workspace

TOPIC: Final = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.EventGrid/topics/{topic}"
_PATH: Final = f"{TOPIC}/providers/Microsoft.EventGrid/eventSubscriptions"
_API_VERSION: Final = "2025-02-15"


def routes(workspace: Workspace, event_grid: Path | None) -> list[web.RouteDef]:
    """``event_grid``: the ``endpoints.json`` of the stand-in that has the topics; it may start later."""

    async def listed(request: web.Request) -> web.Response:
        if request.query.get("api-version") != _API_VERSION:
            raise ServiceError(400, "InvalidApiVersionParameter", f"The api-version is not {_API_VERSION}.")
        if request.match_info["sub"] != workspace.identity["subscription_id"]:
            raise ServiceError(404, "SubscriptionNotFound", "The subscription could not be found.")
        topic, known = request.match_info["topic"], _endpoints(event_grid)
        if topic not in known.get("topics", {}):
            raise ServiceError(404, "ResourceNotFound", f"The topic {topic} was not found.")
        headers, url = {"x-control-key": known["control_key"]}, f"{known['control_url']}/subscriptions"
        async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session, session.get(url) as answer:
            found = (await answer.json())["subscriptions"]
        return web.json_response({"value": [_resource(request.path, each) for each in found if each["topic"] == topic]})

    return [web.get(_PATH, listed)]


def _endpoints(path: Path | None) -> dict[str, Any]:
    if path is None or not path.exists():
        return {}
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return known


def _resource(path: str, subscription: dict[str, Any]) -> dict[str, Any]:
    name, rule = subscription["name"], subscription["filter"]
    properties = {"endpointUrl": None, "endpointBaseUrl": subscription["endpoint"], "maxEventsPerBatch": 1}
    return {
        "id": f"{path}/{name}",
        "name": name,
        "type": "Microsoft.EventGrid/eventSubscriptions",
        "properties": {
            "topic": path.rpartition("/providers/")[0],
            "provisioningState": "Succeeded" if subscription["agreed"] else "AwaitingManualAction",
            "destination": {"endpointType": "WebHook", "properties": properties},
            "eventDeliverySchema": subscription["eventDeliverySchema"],
            "filter": {**rule, "includedEventTypes": rule["includedEventTypes"] or None, "advancedFilters": None},
        },
    }
