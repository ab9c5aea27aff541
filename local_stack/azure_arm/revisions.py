"""An app's revisions and their replicas: what they are, switching them on and off, their logs."""

from typing import Any, Final

from aiohttp import web

from local_stack.azure_arm.apps import APP, address, app_of
from local_stack.azure_arm.engine import Condition
from local_stack.azure_arm.environment import Environment
from local_stack.azure_arm.state import App, Revision
from local_stack.azure_ml.answers import ServiceError

_REVISIONS: Final = f"{APP}/revisions"
_ONE: Final = f"{_REVISIONS}/{{revision}}"
_REPLICAS: Final = f"{_ONE}/replicas"
LOGS: Final = "/subscriptions/{sub}/resourceGroups/{rg}/containerApps/{app}/revisions/{revision}/replicas/{replica}"
_STREAM: Final = f"{LOGS}/containers/{{container}}/logstream"


class Revisions:
    """List, show, activate, deactivate, restart; replicas and the log of one."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def routes(self) -> list[web.RouteDef]:
        """What is answered."""
        return [
            web.get(_REVISIONS, self._listed),
            web.get(_ONE, self._get),
            web.post(f"{_ONE}/activate", self._activate),
            web.post(f"{_ONE}/deactivate", self._deactivate),
            web.post(f"{_ONE}/restart", self._restart),
            web.get(_REPLICAS, self._replicas),
            web.get(_STREAM, self._stream),
        ]

    async def _listed(self, request: web.Request) -> web.Response:
        app = app_of(self._environment, request)
        return web.json_response(
            {"value": [await _shown(self._environment, app, each) for each in app.revisions.values()]}
        )

    async def _get(self, request: web.Request) -> web.Response:
        app, revision = _named(self._environment, request)
        return web.json_response(await _shown(self._environment, app, revision))

    async def _activate(self, request: web.Request) -> web.Response:
        _, revision = _named(self._environment, request)
        if not revision.active:
            revision.active = True
            self._environment.begin_switch(revision)
        return web.Response()

    async def _deactivate(self, request: web.Request) -> web.Response:
        # Its weight stays where it was (azure-container-apps#410).
        _, revision = _named(self._environment, request)
        if revision.active:
            revision.active = False
            self._environment.begin_switch(revision)
        return web.Response()

    async def _restart(self, request: web.Request) -> web.Response:
        _, revision = _named(self._environment, request)
        if revision.active:
            self._environment.begin_switch(revision)
        return web.Response()

    async def _replicas(self, request: web.Request) -> web.Response:
        app, revision = _named(self._environment, request)
        condition = await self._environment.condition(revision)
        found = [_replica(self._environment, app, revision, condition)] if condition else []
        return web.json_response({"value": found})

    async def _stream(self, request: web.Request) -> web.Response:
        app, revision = _named(self._environment, request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self._environment.account.admits(token, f"logs:{app.name}"):
            raise ServiceError(401, "Unauthorized", "the token of getAuthtoken is missing, expired or another app's")
        text = self._environment.containers.log(revision.container, int(request.query.get("tailLines", "20")))
        return web.Response(text=text)


def _named(environment: Environment, request: web.Request) -> tuple[App, Revision]:
    app, name = app_of(environment, request), request.match_info["revision"]
    if name not in app.revisions:
        raise ServiceError(404, "RevisionNotFound", f"Revision '{name}' was not found.")
    return app, app.revisions[name]


def running_state(revision: Revision, condition: Condition | None) -> tuple[str, str]:
    """The revision's ``runningState`` and ``healthState``."""
    if not revision.active:
        return "Stopped", "None"
    if revision.provisioning == "Failed":
        return "Failed", "Unhealthy"
    if revision.provisioning != "Provisioned":
        return "Processing", "None"
    if condition is None or not condition.running or (condition.restarts and not revision.healthy):
        return "Failed", "Unhealthy"
    if revision.healthy:
        return "Running", "Healthy"
    return "Processing", "Unhealthy" if revision.seen else "None"


async def _shown(environment: Environment, app: App, revision: Revision) -> dict[str, Any]:
    condition = await environment.condition(revision)
    running, health = running_state(revision, condition)
    properties = {
        "createdTime": revision.created,
        "fqdn": address(revision.port),
        "template": revision.template,
        "active": revision.active,
        "replicas": 1 if condition else 0,
        "trafficWeight": app.weights().get(revision.name, 0),
        "healthState": health,
        "provisioningState": revision.provisioning,
        "runningState": running,
    }
    if revision.error:
        properties["provisioningError"] = revision.error
    return {
        "id": f"{environment.account.app_id(app.name)}/revisions/{revision.name}",
        "name": revision.name,
        "type": "Microsoft.App/containerapps/revisions",
        "properties": properties,
    }


def _replica(environment: Environment, app: App, revision: Revision, condition: Condition) -> dict[str, Any]:
    name = f"{revision.name}-{condition.container_id[:10]}"
    running = condition.running and not (condition.restarts and not revision.healthy)
    account = environment.account
    container = revision.template["containers"][0]["name"]
    stream = _STREAM.format(
        sub=account.identity["subscription_id"],
        rg=account.identity["resource_group"],
        app=app.name,
        revision=revision.name,
        replica=name,
        container=container,
    )
    return {
        "id": f"{account.app_id(app.name)}/revisions/{revision.name}/replicas/{name}",
        "name": name,
        "type": "Microsoft.App/containerapps/revisions/replicas",
        "properties": {
            "createdTime": revision.created,
            "runningState": "Running" if running else "NotRunning",
            "runningStateDetails": condition.last_words,
            "containers": [
                {
                    "name": container,
                    "containerId": condition.container_id,
                    "ready": revision.healthy,
                    "started": condition.running,
                    "restartCount": condition.restarts,
                    "runningState": "Running" if running else "Waiting",
                    "runningStateDetails": condition.last_words,
                    "logStreamEndpoint": f"{account.url}{stream}",
                }
            ],
        },
    }
