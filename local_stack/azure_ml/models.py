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
    """Create, read, tag, list."""

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
            web.patch(f"{_BASE}/models/{{id}}", self._patch_model),
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

    async def _patch_model(self, request: web.Request) -> web.Response:
        operations = await body_of(request)
        if not isinstance(operations, list) or not all(map(_is_known, operations)):
            raise ServiceError(400, "BadRequest", "the body is not a JSON Patch of a model's tags, properties or words")

        def patch(model: dict[str, Any]) -> None:
            for operation in operations:
                model[operation["path"].removeprefix("/")] = operation["value"]
            model["modifiedTime"] = now_text()

        changed = self._workspace.store.change(MODEL, request.match_info["id"], patch)
        return web.json_response(_found(changed, "Model"))

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


def _is_known(operation: Any) -> bool:
    """Whether it is one that the client sends: whole maps, replaced or added."""
    known = {"replace /kvTags": dict, "add /properties": dict, "replace /description": str}
    if not isinstance(operation, dict):
        return False
    kind = known.get(f"{operation.get('op')} {operation.get('path')}")
    return kind is not None and isinstance(operation.get("value"), kind)


def _matches(model: dict[str, Any], query: Any) -> bool:
    plain = all(model[field] == query[field] for field in ("name", "runId") if query.get(field))
    return plain and _has(model["kvTags"], query.get("tags")) and _has(model["properties"], query.get("properties"))


def _has(values: dict[str, Any], wanted: str | None) -> bool:
    """Whether there is every ``name`` or ``name=value`` of a list with commas."""
    for part in (wanted or "").split(","):
        name, equals, value = part.partition("=")
        if name and (name not in values or (equals and str(values[name]) != value)):
            return False
    return True
