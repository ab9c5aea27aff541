"""The artifact service, version 2: names of files in a run's or an upload's container, and URLs for their content."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from local_stack.azure_ml import blobs
from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.paging import page_of
from local_stack.azure_ml.workspace import Workspace, now_text

KIND = "artifact"
_BASE = f"/artifact/v2.0{WS}/artifacts"


def add(workspace: Workspace, origin: str, container: str, path: str) -> bool:
    """Make a name; False when it exists."""
    entry = _entry(origin, container, path)
    return workspace.store.add(KIND, entry["artifactId"], entry)


def stored(workspace: Workspace, prefix: str) -> list[dict[str, Any]]:
    """The artifacts whose ``origin/container/path`` starts so, and whose content is there.

    A name is made before its content is uploaded, and that may never happen. Given a name without content, the SDK asks
    for it again and again, for minutes.
    """
    return [entry for entry in workspace.store.all(KIND, prefix) if _has_content(workspace, entry["artifactId"])]


def content_url(workspace: Workspace, key: str) -> str:
    """Where the content of ``origin/container/path`` can be read."""
    return blobs.download_url(workspace, f"artifacts/{key}")


def blob_path(key: str) -> str:
    """The blob that holds the content of an artifact."""
    return f"artifacts/{key}"


def routes(workspace: Workspace) -> list[web.RouteDef]:
    """Create, list, and give content URLs, by exact path or by prefix."""

    def asked_for(request: web.Request, path: str) -> list[dict[str, Any]]:
        place = f"{request.match_info['origin']}/{request.match_info['container']}/"
        return stored(workspace, place + path)

    def content(entry: dict[str, Any]) -> dict[str, Any]:
        return _content(workspace, entry, blobs.download_url)

    async def create(request: web.Request) -> web.Response:
        origin, container = request.match_info["origin"], request.match_info["container"]
        made: dict[str, Any] = {}
        contents: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for asked in (await body_of(request)).get("paths") or []:
            path, given = _clean(asked["path"]), asked["path"]
            entry = _entry(origin, container, path)
            if _is_taken(workspace, entry):
                message = f"Resource Conflict: ArtifactId {entry['artifactId']} already exists."
                errors[given] = {"error": {"code": "UserError", "message": message, "details": []}}
            else:
                made[given], contents[given] = entry, _content(workspace, entry, blobs.upload_url)
        return web.json_response({"artifacts": made, "artifactContentInformation": contents, "errors": errors})

    async def list_all(request: web.Request) -> web.Response:
        return _paged(request, asked_for(request, ""))

    async def content_by_path(request: web.Request) -> web.Response:
        path = _clean(unquote(request.match_info.get("path") or request.query.get("path", "")))
        found = {entry["path"]: entry for entry in asked_for(request, path)}
        if path not in found:
            raise ServiceError(404, "UserError", f"Artifact {path} was not found")
        return web.json_response(content(found[path]))

    async def content_by_prefix(request: web.Request) -> web.Response:
        given = unquote(request.match_info.get("path") or request.query.get("path", ""))
        prefix = _clean(given).rstrip("/")
        found = [entry for entry in asked_for(request, prefix) if not prefix or _below(entry["path"], prefix)]
        return _paged(request, [content(entry) for entry in found])

    place = "{origin}/{container}"
    return [
        web.post(f"{_BASE}/batch/metadata/{place}", create),
        web.get(f"{_BASE}/prefix/contentinfo/{place}", content_by_prefix),
        web.get(f"{_BASE}/prefix/contentinfo/{place}/{{path:.*}}", content_by_prefix),
        web.get(f"{_BASE}/contentinfo/{place}", content_by_path),
        web.get(f"{_BASE}/contentinfo/{place}/{{path:.+}}", content_by_path),
        web.get(f"{_BASE}/{place}", list_all),
    ]


def _paged(request: web.Request, found: list[dict[str, Any]]) -> web.Response:
    shown, token = page_of(found, request.query.get("continuationToken"))
    return web.json_response({"value": shown, "continuationToken": token, "nextLink": None})


def _entry(origin: str, container: str, path: str) -> dict[str, Any]:
    key = f"{origin}/{container}/{path}"
    return {
        "artifactId": key,
        "origin": origin,
        "container": container,
        "path": path,
        "dataPath": {"dataStoreName": "workspaceblobstore", "relativePath": key},
        "createdTime": now_text(),
        "etag": None,
    }


def _is_taken(workspace: Workspace, entry: dict[str, Any]) -> bool:
    """Make the name, unless there is a file by it; a name whose upload never came to its end may be taken again."""
    key = entry["artifactId"]
    return not workspace.store.add(KIND, key, entry) and _has_content(workspace, key)


def _content(workspace: Workspace, entry: dict[str, Any], url: Callable[[Workspace, str], str]) -> dict[str, Any]:
    named = {key: entry[key] for key in ("origin", "container", "path")}
    return named | {"contentUri": url(workspace, blob_path(entry["artifactId"]))}


def _below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")


def _has_content(workspace: Workspace, key: str) -> bool:
    return blobs.file_of(workspace, blob_path(key)).exists()


def _clean(path: str) -> str:
    return path.removeprefix("./")
