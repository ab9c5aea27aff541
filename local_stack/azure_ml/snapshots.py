"""The content service: a snapshot is a tree of files, most of which an earlier snapshot may hold already."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import web

from local_stack.azure_ml import blobs
from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.workspace import Workspace

KIND = "snapshot"
_EMPTY = str(uuid.UUID(int=0))


def files(workspace: Workspace, snapshot_id: str) -> dict[str, Path] | None:
    """Path in the snapshot -> file on disk; None for an unknown snapshot."""
    snapshot = workspace.store.get(KIND, snapshot_id)
    if snapshot is None:
        return None
    return {name: blobs.file_of(workspace, path) for name, path in snapshot["files"].items()}


def routes(workspace: Workspace) -> list[web.RouteDef]:
    """Latest, upload URLs, create."""
    store = workspace.store

    async def latest(_: web.Request) -> web.Response:
        return web.json_response({"id": _EMPTY, "root": {}})

    async def upload_urls(request: web.Request) -> web.Response:
        upload = uuid.uuid4().hex
        names = (await body_of(request)).get("FileNames") or []
        nodes = [
            {"fullName": name, "blobUri": blobs.upload_url(workspace, f"snapshots/{upload}/{name}")} for name in names
        ]
        return web.json_response({"fileNodes": nodes})

    async def create(request: web.Request) -> web.Response:
        body, snapshot_id = await body_of(request), request.match_info["id"]
        parent = store.get(KIND, str(body.get("ParentSnapshotId") or ""))
        if parent is None and body.get("ParentSnapshotId") not in (None, _EMPTY):
            # The client answers this with a full upload.
            raise ServiceError(400, "BadArgument", "the parent snapshot is not known")
        known = dict(parent["files"]) if parent else {}
        for node in (body.get("FileRevisionList") or {}).get("FileNodes") or []:
            known[node["FullName"]] = _blob_of(node["BlobUri"])
        wanted = list(_walk(body["DirTreeNode"], ""))
        missing = [name for name in wanted if name not in known]
        if missing:
            raise ServiceError(400, "BadArgument", f"the snapshot lacks the content of {missing[0]}")
        store.put(KIND, snapshot_id, {"id": snapshot_id, "files": {name: known[name] for name in wanted}})
        return web.json_response({"id": snapshot_id})

    return [
        web.get(f"/content/v1.0{WS}/snapshots/latest/metadata", latest),
        web.post(f"/content/v2.0{WS}/snapshots/getblob", upload_urls),
        web.post(f"/content/v2.0{WS}/snapshots/{{id}}", create),
    ]


def _walk(node: dict[str, Any], folder: str) -> Iterator[str]:
    for name, child in (node.get("children") or {}).items():
        if name in {"", ".", ".."} or "/" in name:
            raise ServiceError(400, "BadArgument", f"{name!r} is no file name")
        path = f"{folder}{name}"
        if child.get("type") == "Directory":
            yield from _walk(child, f"{path}/")
        else:
            yield path


def _blob_of(url: str) -> str:
    return unquote(urlsplit(url).path).removeprefix("/blobs/")
