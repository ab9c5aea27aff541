"""Model management: assets and models. Every POST of a model makes the next version."""

import uuid
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.paging import page_of
from local_stack.azure_ml.workspace import Workspace, now_text

MODEL, ASSET = "model", "asset"
_BASE = f"/modelmanagement/v1.0{WS}"
_TAKEN = (
    "name", "url", "mimeType", "kvTags", "properties", "runId", "experimentName", "framework", "frameworkVersion",
    "unpack", "description", "datasets",
)  # fmt: skip


class Models:
    """Create, read, list."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def routes(self) -> list[web.RouteDef]:
        """All of the service."""
        return [
            web.post(f"{_BASE}/assets", self._create_asset),
            web.get(f"{_BASE}/assets/{{id}}", self._read_asset),
            web.post(f"{_BASE}/models", self._create_model),
            web.get(f"{_BASE}/models", self._list_models),
            web.get(f"{_BASE}/models/{{id}}", self._read_model),
        ]

    async def _create_asset(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        asset = {key: body.get(key) for key in ("name", "artifacts", "runid")} | {"id": uuid.uuid4().hex}
        self._workspace.store.add(ASSET, asset["id"], asset)
        return web.json_response(asset)

    async def _read_asset(self, request: web.Request) -> web.Response:
        return web.json_response(_found(self._workspace.store.get(ASSET, request.match_info["id"]), "Asset"))

    async def _create_model(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        model = {key: body.get(key) for key in _TAKEN}
        model |= {
            "kvTags": body.get("kvTags") or {},
            "properties": body.get("properties") or {},
            "datasets": body.get("datasets") or [],
            "createdTime": now_text(),
            "modifiedTime": now_text(),
            "createdBy": {"userName": "service principal"},
        }
        version = len(self._workspace.store.all(MODEL, f"{body['name']}:"))
        made = False
        while not made:  # two at once must not get the same version
            version += 1
            model |= {"version": version, "id": f"{body['name']}:{version}"}
            made = self._workspace.store.add(MODEL, model["id"], model)
        return web.json_response(model)

    async def _read_model(self, request: web.Request) -> web.Response:
        return web.json_response(_found(self._workspace.store.get(MODEL, request.match_info["id"]), "Model"))

    async def _list_models(self, request: web.Request) -> web.Response:
        found = [model for model in self._workspace.store.all(MODEL) if _matches(model, request.query)]
        found.reverse()  # newest first
        count = min(int(request.query.get("count", "255")), 255)
        shown, token = page_of(found, request.query.get("$skipToken"), count)
        following = f"{self._workspace.url}{request.path}?{urlencode({'$skipToken': token})}" if token else None
        return web.json_response({"value": shown, "nextLink": following})


def _found(document: dict[str, Any] | None, what: str) -> dict[str, Any]:
    if document is None:
        raise ServiceError(404, "NotFound", f"{what} was not found")
    return document


def _matches(model: dict[str, Any], query: Any) -> bool:
    return all(model[field] == query[field] for field in ("name", "runId") if query.get(field))
