"""Compute targets: VMs attached by address. Their private keys lie in files of their own and are never shown."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.paging import page_of
from local_stack.azure_ml.workspace import Workspace, now_text
from local_stack.files import write_private

KIND = "compute"


@dataclass(frozen=True, slots=True)
class Vm:
    """How the execution service reaches a compute target."""

    name: str
    address: str
    port: int
    username: str
    key_file: Path


def vm(workspace: Workspace, name: str) -> Vm | None:
    """The attached VM of that name, or None."""
    compute = workspace.store.get(KIND, name)
    if compute is None:
        return None
    return Vm(name, compute["address"], compute["port"], compute["username"], _key_file(workspace, name))


def routes(workspace: Workspace) -> list[web.RouteDef]:
    """Attach, read, list."""

    async def attach(request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await body_of(request)
        before = workspace.store.get(KIND, name)
        details = _details(body)
        account = details.get("administratorAccount") or {}
        if not details.get("address") or not account.get("username") or not account.get("privateKeyData"):
            reason = "attach needs address, administratorAccount.username and .privateKeyData; passwords are refused"
            raise ServiceError(400, "BadArgument", reason)
        write_private(_key_file(workspace, name), account["privateKeyData"])
        compute = {
            "name": name,
            "address": details["address"],
            "port": int(details.get("sshPort") or 22),
            "username": account["username"],
            "createdOn": before["createdOn"] if before else now_text(),
            "modifiedOn": now_text(),
            "puts": before.get("puts", 1) + 1 if before else 1,
            "changing": "Updating" if before else "Creating",
            "ready_at": time.time() + workspace.attach_seconds,
        }
        workspace.store.put(KIND, name, compute)
        return _accepted(workspace, compute)

    async def operation(request: web.Request) -> web.Response:
        compute = workspace.store.get(KIND, request.match_info["name"])
        return web.json_response({"status": "InProgress" if compute and _is_changing(compute) else "Succeeded"})

    async def read(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        compute = workspace.store.get(KIND, name)
        if compute is None:
            raise ServiceError(404, "ComputeNotFound", f"Compute {name} was not found.")
        return web.json_response(_view(workspace, compute))

    async def read_all(request: web.Request) -> web.Response:
        shown, token = page_of(workspace.store.all(KIND), request.query.get("$skipToken"))
        following = {"nextLink": _next_page(workspace, request, token)} if token else {}
        # Without a next page no nextLink at all: to the SDK its mere presence means another.
        return web.json_response({"value": [_view(workspace, compute) for compute in shown]} | following)

    return [
        web.put(f"{WS}/computes/{{name}}", attach),
        web.get(f"{WS}/computeOperations/{{name}}", operation),
        web.get(f"/rp/workspaces{WS}/computes/{{name}}", read),
        web.get(f"/rp/workspaces{WS}/computes", read_all),
    ]


def _details(body: dict[str, Any]) -> dict[str, Any]:
    properties = body.get("properties") or {}
    if properties.get("computeType") != "VirtualMachine":
        raise ServiceError(400, "BadArgument", "only computeType VirtualMachine can be attached here")
    details: dict[str, Any] = properties.get("properties") or {}
    return details


def _accepted(workspace: Workspace, compute: dict[str, Any]) -> web.Response:
    operation = f"{workspace.url}{workspace.scope}/computeOperations/{compute['name']}?api-version=2020-02-02"
    return web.json_response(_view(workspace, compute), status=201, headers={"Azure-AsyncOperation": operation})


def _is_changing(compute: dict[str, Any]) -> bool:
    return bool(time.time() < compute.get("ready_at", 0))


def _next_page(workspace: Workspace, request: web.Request, token: str) -> str:
    return f"{workspace.url}{request.path}?{urlencode({'api-version': '2020-02-02', '$skipToken': token})}"


def _key_file(workspace: Workspace, name: str) -> Path:
    return workspace.folder / f"compute-{hashlib.sha256(name.encode()).hexdigest()[:16]}.key"


def _view(workspace: Workspace, compute: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{workspace.scope}/computes/{compute['name']}",
        "name": compute["name"],
        "location": "local",
        "tags": {},
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "properties": {
            "computeType": "VirtualMachine",
            "computeLocation": "local",
            "description": None,
            "resourceId": None,
            "provisioningState": compute["changing"] if _is_changing(compute) else "Succeeded",
            "provisioningErrors": None,
            "isAttachedCompute": True,
            "createdOn": compute["createdOn"],
            "modifiedOn": compute.get("modifiedOn", compute["createdOn"]),
            "properties": {"address": compute["address"], "sshPort": compute["port"]},
        },
    }
