"""``Microsoft.App/containerApps``: the app itself, and the operations that change it."""

import copy
from typing import Any, Final

from aiohttp import web

from local_stack.azure_arm.environment import Environment
from local_stack.azure_arm.rules import check_app, check_name, check_traffic, merged, revision_name, writable
from local_stack.azure_arm.state import App
from local_stack.azure_ml.answers import ServiceError, body_of

GROUP: Final = "/subscriptions/{sub}/resource{groups:[gG]}roups/{rg}/providers/Microsoft.App"
APP: Final = f"{GROUP}/container{{apps:[aA]}}pps/{{app}}"
_STATUS: Final = "/subscriptions/{sub}/providers/Microsoft.App/locations/{location}/containerappOperationStatuses/{id}"
_RESULT: Final = "/subscriptions/{sub}/providers/Microsoft.App/locations/{location}/containerappOperationResults/{id}"
_HOST: Final = "127.0.0.1"


class Apps:
    """Create, change, show and delete apps; the state of an operation; the token that opens log streams."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def routes(self) -> list[web.RouteDef]:
        """What is answered."""
        return [
            web.get(f"{GROUP}/container{{apps:[aA]}}pps", self._listed),
            web.put(APP, self._put),
            web.patch(APP, self._patch),
            web.get(APP, self._get),
            web.delete(APP, self._delete),
            web.post(f"{APP}/getAuthtoken", self._token),
            web.get(_STATUS, self._status),
            web.get(_RESULT, self._result),
        ]

    async def _put(self, request: web.Request) -> web.Response:
        name, body = request.match_info["app"], writable(await body_of(request))
        known = self._environment.state.apps.get(name)
        check_name(name)
        operation = _change(self._environment, name, known, body)
        shown = _shown(self._environment, self._environment.state.apps[name])
        return web.json_response(shown, status=200 if known else 201, headers=_headers(self._environment, operation))

    async def _patch(self, request: web.Request) -> web.Response:
        app = app_of(self._environment, request)
        operation = _change(self._environment, app.name, app, merged(app.body, writable(await body_of(request))))
        return web.Response(status=202, headers=_headers(self._environment, operation))

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self._environment, app_of(self._environment, request)))

    async def _listed(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"value": [_shown(self._environment, app) for app in self._environment.state.apps.values()]}
        )

    async def _delete(self, request: web.Request) -> web.Response:
        app = self._environment.state.apps.get(request.match_info["app"])
        if app is None:
            return web.Response(status=204)
        _refuse_while_busy(app)
        return web.Response(status=202, headers=_headers(self._environment, self._environment.begin_removal(app)))

    async def _token(self, request: web.Request) -> web.Response:
        app = app_of(self._environment, request)
        opened = {
            "token": self._environment.account.token(f"logs:{app.name}", seconds=600),
            "expires": "2100-01-01T00:00:00Z",
        }
        return web.json_response({**_envelope(self._environment, app), "properties": opened})

    async def _status(self, request: web.Request) -> web.Response:
        operation = self._environment.state.operations.get(request.match_info["id"])
        if operation is None:
            raise ServiceError(404, "OperationNotFound", "there is no such operation")
        body: dict[str, Any] = {"id": request.path, "name": request.match_info["id"], "status": operation.status}
        if operation.code:
            body["error"] = {"code": operation.code, "message": operation.message}
        return web.json_response(body, headers={"Retry-After": "0"})

    async def _result(self, request: web.Request) -> web.Response:
        operation = self._environment.state.operations.get(request.match_info["id"])
        return web.Response(status=202 if operation and operation.status == "InProgress" else 204)


def app_of(environment: Environment, request: web.Request) -> App:
    """The app that the path names; 404 when there is none."""
    name = request.match_info["app"]
    if name not in environment.state.apps:
        where = f"The Resource 'Microsoft.App/containerApps/{name}' under resource group '{request.match_info['rg']}'"
        raise ServiceError(404, "ResourceNotFound", f"{where} was not found.")
    return environment.state.apps[name]


def address(port: int) -> str:
    """What stands for a domain name: a loopback address with a port, as there is no DNS and no port 443 here."""
    return f"{_HOST}:{port}"


def _change(environment: Environment, name: str, known: App | None, body: dict[str, Any]) -> str:
    """Accept a whole new body, or refuse it; the id of the operation that carries it out."""
    if known is not None:
        _refuse_while_busy(known)
    check_app(body, environment.account.environment_id)
    configuration = body["properties"]["configuration"]
    template = body["properties"]["template"]
    made = _made(name, known, template)
    revisions = set(known.revisions if known else ()) | ({made} if made else set())
    ingress = configuration["ingress"]
    if (mode := configuration.setdefault("activeRevisionsMode", "Single")) == "Single":
        # The traffic goes to the latest revision, whether that is active or not; no revision is touched (#679).
        ingress["traffic"] = [{"latestRevision": True, "weight": 100}]
    ingress.setdefault("traffic", [{"latestRevision": True, "weight": 100}])
    check_traffic(ingress["traffic"], revisions)

    app = known or App(name, body, environment.free_port())
    before, secrets, latest = copy.deepcopy(app.body), dict(app.secrets), app.latest
    app.body, app.secrets = body, _secrets(configuration, app.secrets)
    environment.state.apps[name] = app
    if made:
        new = environment.new_revision(made, copy.deepcopy(template), ingress["targetPort"])
        if mode == "Single":
            for revision in app.revisions.values():
                revision.active = False
        app.revisions[made], app.latest = new, made

    def undo() -> None:
        app.body, app.secrets, app.latest = before, secrets, latest
        if known is None:  # the app stays, without a revision, as after a first deployment that failed
            app.body = body

    return environment.begin_provisioning(app, undo)


def _made(name: str, known: App | None, template: dict[str, Any]) -> str:
    """The revision that this template makes; empty when it is the latest one's."""
    latest = known.revisions.get(known.latest) if known else None
    if latest is not None and latest.template == template:
        return ""
    made = revision_name(name, template)
    if known and made in known.revisions:
        suffix = template.get("revisionSuffix")
        raise ServiceError(400, "RevisionSuffixInUse", f"A revision with suffix '{suffix}' already exists.")
    return made


def _secrets(configuration: dict[str, Any], kept: dict[str, str]) -> dict[str, str]:
    """Take the values out of the body: nothing shows them again. One without a value keeps what it had."""
    values = {secret["name"]: secret.pop("value", None) for secret in configuration.get("secrets") or ()}
    return {name: kept.get(name, "") if value is None else str(value) for name, value in values.items()}


def _refuse_while_busy(app: App) -> None:
    if app.operation:
        reason = f"Cannot modify the Container App '{app.name}' because an operation is in progress."
        raise ServiceError(409, "ContainerAppOperationInProgress", reason)


def _headers(environment: Environment, operation: str) -> dict[str, str]:
    account = environment.account
    values = {"sub": account.identity["subscription_id"], "location": "local", "id": operation}
    query = "?api-version=2026-07-01"
    return {
        "Azure-AsyncOperation": f"{account.url}{_STATUS.format(**values)}{query}",
        "Location": f"{account.url}{_RESULT.format(**values)}{query}",
        "Retry-After": "0",
    }


def _envelope(environment: Environment, app: App) -> dict[str, Any]:
    where = environment.account.app_id(app.name)
    return {
        "id": where,
        "name": app.name,
        "type": "Microsoft.App/containerApps",
        "location": app.body.get("location", ""),
        "tags": app.body.get("tags") or {},
    }


def _shown(environment: Environment, app: App) -> dict[str, Any]:
    """The app as clients see it."""
    properties = copy.deepcopy(app.body["properties"])
    properties["configuration"]["ingress"]["fqdn"] = address(app.port)
    latest = app.revisions.get(app.latest)
    account = environment.account
    stream = f"{account.url}/subscriptions/{account.identity['subscription_id']}/resourceGroups/"
    properties |= {
        "provisioningState": app.provisioning,
        "latestRevisionName": app.latest,
        "latestRevisionFqdn": address(latest.port) if latest else "",
        "eventStreamEndpoint": f"{stream}{account.identity['resource_group']}/containerApps/{app.name}/eventstream",
    }
    shown = {**_envelope(environment, app), "properties": properties}
    if "identity" in app.body:
        shown["identity"] = app.body["identity"]
    return shown
