"""The metrics service, version 2: batches in, values by name out."""

from typing import Any

from aiohttp import web

from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.paging import page_of
from local_stack.azure_ml.workspace import Workspace

KIND = "metric"
VALUES = 1_000  # of one metric, in one page
_BASE = f"/metric/v2.0{WS}/runs/{{run}}"


def routes(workspace: Workspace) -> list[web.RouteDef]:
    """Append, list names, read one in full."""
    store = workspace.store

    async def batch(request: web.Request) -> web.Response:
        for entry in (await body_of(request)).get("values") or []:
            _append(workspace, request.match_info["run"], entry)
        return web.json_response({"errors": []})

    async def names(request: web.Request) -> web.Response:
        asked = (await body_of(request)).get("continuationToken")
        found, token = page_of(store.all(KIND, f"{request.match_info['run']}/"), asked)
        value = [
            {"metricKey": {"namespace": "", "name": metric["name"]}, "columns": metric["columns"]} for metric in found
        ]
        return web.json_response({"value": value, "continuationToken": token})

    async def full(request: web.Request) -> web.Response:
        body = await body_of(request)
        name = body.get("metricName")
        metric = store.get(KIND, f"{request.match_info['run']}/{name}")
        if metric is None:
            raise ServiceError(404, "MetricNotFound", f"metric {name} was not found")
        values, token = page_of(metric["value"], body.get("continuationToken"), VALUES)
        return web.json_response(metric | {"value": values, "continuationToken": token})

    return [web.post(f"{_BASE}/batch", batch), web.post(f"{_BASE}/list", names), web.post(f"{_BASE}/full", full)]


def _append(workspace: Workspace, run_id: str, entry: dict[str, Any]) -> None:
    key = f"{run_id}/{entry['name']}"
    fresh = {
        "name": entry["name"],
        "columns": entry["columns"],
        "value": [],
        "properties": entry.get("properties") or {},
    }
    workspace.store.add(KIND, key, fresh)

    def edit(metric: dict[str, Any]) -> None:
        # The client may send a batch twice; the metric's id tells.
        known = {value["metricId"] for value in metric["value"]}
        metric["value"] += [value for value in entry["value"] if value["metricId"] not in known]

    workspace.store.change(KIND, key, edit)
