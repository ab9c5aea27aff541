"""The artifact service, version 2: names of files in a run's or an upload's container, and URLs for their content."""

from typing import Any
from urllib.parse import unquote

from aiohttp import web

from local_stack.azure_ml import blobs
from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.workspace import Workspace, now_text

KIND = "artifact"
_BASE = f"/artifact/v2.0{WS}/artifacts"


def add(workspace: Workspace, origin: str, container: str, path: str) -> bool:
    """Make a name; False when it exists."""
    key = f"{origin}/{container}/{path}"
    entry = {
        "artifactId": key,
        "origin": origin,
        "container": container,
        "path": path,
        "dataPath": {"dataStoreName": "workspaceblobstore", "relativePath": key},
        "createdTime": now_text(),
        "etag": None,
    }
    return workspace.store.add(KIND, key, entry)


def content_url(workspace: Workspace, key: str) -> str:
    """Where the content of ``origin/container/path`` can be read."""
    return blobs.download_url(workspace, f"artifacts/{key}")


def blob_path(key: str) -> str:
    """The blob that holds the content of an artifact."""
    return f"artifacts/{key}"


def routes(workspace: Workspace) -> list[web.RouteDef]:
    """Create, list, and give content URLs, by exact path or by prefix."""
    store = workspace.store

    def container_of(request: web.Request) -> str:
        return f"{request.match_info['origin']}/{request.match_info['container']}/"

    def content(entry: dict[str, Any], *, writable: bool = False) -> dict[str, Any]:
        path = blob_path(entry["artifactId"])
        make = blobs.upload_url if writable else blobs.download_url
        named = {key: entry[key] for key in ("origin", "container", "path")}
        return named | {"contentUri": make(workspace, path)}

    async def create(request: web.Request) -> web.Response:
        origin, container = request.match_info["origin"], request.match_info["container"]
        made: dict[str, Any] = {}
        contents: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for asked in (await body_of(request)).get("paths") or []:
            path, given = _clean(asked["path"]), asked["path"]
            if not add(workspace, origin, container, path):
                message = f"Resource Conflict: ArtifactId {origin}/{container}/{path} already exists."
                errors[given] = {"error": {"code": "UserError", "message": message, "details": []}}
                continue
            entry = store.get(KIND, f"{origin}/{container}/{path}")
            assert entry is not None  # noqa: S101 - just added
            made[given], contents[given] = entry, content(entry, writable=True)
        return web.json_response({"artifacts": made, "artifactContentInformation": contents, "errors": errors})

    async def list_all(request: web.Request) -> web.Response:
        return web.json_response({"value": store.all(KIND, container_of(request)), "continuationToken": None})

    async def content_by_path(request: web.Request) -> web.Response:
        path = _clean(unquote(request.match_info.get("path") or request.query.get("path", "")))
        entry = store.get(KIND, container_of(request) + path)
        if entry is None:
            raise ServiceError(404, "UserError", f"Artifact {path} was not found")
        return web.json_response(content(entry))

    async def content_by_prefix(request: web.Request) -> web.Response:
        given = unquote(request.match_info.get("path") or request.query.get("path", ""))
        prefix = _clean(given).rstrip("/")
        found = [
            entry
            for entry in store.all(KIND, container_of(request) + prefix)
            if not prefix or entry["path"] == prefix or entry["path"].startswith(f"{prefix}/")
        ]
        return web.json_response({"value": [content(entry) for entry in found], "continuationToken": None})

    place = "{origin}/{container}"
    return [
        web.post(f"{_BASE}/batch/metadata/{place}", create),
        web.get(f"{_BASE}/prefix/contentinfo/{place}", content_by_prefix),
        web.get(f"{_BASE}/prefix/contentinfo/{place}/{{path:.*}}", content_by_prefix),
        web.get(f"{_BASE}/contentinfo/{place}", content_by_path),
        web.get(f"{_BASE}/contentinfo/{place}/{{path:.+}}", content_by_path),
        web.get(f"{_BASE}/{place}", list_all),
    ]


def _clean(path: str) -> str:
    return path.removeprefix("./")
