"""Puts the services together behind one TLS listener, with authorisation, faults and a log that shows no secret."""

import asyncio
import contextlib
import logging
import ssl
import time
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from local_stack.azure_ml import artifacts, blobs, computes, event_subscriptions, identity, metrics, runs, snapshots
from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.execution import Execution
from local_stack.azure_ml.faults import Faults, InsteadError
from local_stack.azure_ml.history import History
from local_stack.azure_ml.models import Models
from local_stack.azure_ml.run_events import RunEvents
from local_stack.azure_ml.tls import ensure_certificates
from local_stack.azure_ml.workspace import Workspace
from local_stack.files import write_object

log = logging.getLogger("azure_ml")

_OPEN = ("/metadata/", "/adfs/", "/discovery", "/blobs/", "/_faults")
_FOR_CLIENTS_ONLY = ("/subscriptions", "/rp/", "/execution/", "/_stats")  # not with the token of a training
_GRACE_SECONDS = 2  # for requests that are under way when we stop
_MOST_BYTES = 1 << 26  # of a JSON body; files are streamed


class Server:
    """The stand-in: opened on a folder, listening until stopped."""

    def __init__(
        self, workspace: Workspace, execution: Execution, port: int, *, event_grid: Path | None = None
    ) -> None:
        """``event_grid``: the ``endpoints.json`` of the stand-in whose topics ARM knows, and that is told of runs."""
        self.workspace, self._execution, self._port, self._event_grid = workspace, execution, port, event_grid
        self._runner: web.AppRunner | None = None
        self._telling: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, write ``endpoints.json`` and go on with runs that had not ended; the URL."""
        chain, key, self.workspace.ca_bundle = (path.resolve() for path in ensure_certificates(self.workspace.folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_GRACE_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context)
        await site.start()
        port = self._runner.addresses[0][1]
        self.workspace.url = f"https://127.0.0.1:{port}"
        write_object(self.workspace.folder / "endpoints.json", self.workspace.endpoints())
        if self._event_grid is not None:
            events = RunEvents(self._event_grid)
            events.attach(self.workspace)
            self._telling = asyncio.create_task(events.serve(), name="events of runs")
        self._execution.resume()
        return self.workspace.url

    async def stop(self) -> None:
        """Stop listening; the state is on disk already."""
        await self._execution.stop()
        if self._telling:
            self._telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._telling
        if self._runner:
            await self._runner.cleanup()
        self.workspace.store.close()

    def _app(self) -> web.Application:
        faults = Faults(self.workspace.identity["faults_key"])

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            began = time.monotonic()
            try:
                self._count(request)
                await faults.strike(request)
                if not request.path.startswith(_OPEN):
                    self._authorise(request)
                response = await handler(request)
                await faults.strike(request, after=True)
            except Exception as error:  # noqa: BLE001 - told apart, logged and answered there
                response = _answer_to(request, error)
            # The path only: queries carry signatures, bodies carry keys.
            took = (time.monotonic() - began) * 1000
            log.info("%s %s %d %.0f ms", request.method, request.path, response.status, took)
            return response

        app = web.Application(middlewares=[guard], client_max_size=_MOST_BYTES)
        for service in (identity, computes, metrics, artifacts, blobs, snapshots):
            app.add_routes(service.routes(self.workspace))
        app.add_routes(event_subscriptions.routes(self.workspace, self._event_grid))
        app.add_routes(History(self.workspace).routes())
        app.add_routes(Models(self.workspace).routes())
        app.add_routes(self._execution.routes())
        app.add_routes(faults.routes())
        app.add_routes([web.get("/_stats", self._stats)])
        return app

    def _authorise(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self.workspace.claims(token) if scheme == "Bearer" else None
        if claims is None:
            raise ServiceError(401, "Unauthorized", "the bearer token is missing, expired or not ours")
        if "run" in claims and request.path.startswith(_FOR_CLIENTS_ONLY):
            raise ServiceError(403, "AuthorizationFailed", "a training may not do that")
        if "ws" in request.match_info and self.workspace.scope.lower() not in request.path.lower():
            raise ServiceError(404, "ResourceNotFound", f"The workspace {request.match_info['ws']} was not found.")

    def _count(self, request: web.Request) -> None:
        service = request.path.split("/", 2)[1]
        self.workspace.requests_seen[service] = self.workspace.requests_seen.get(service, 0) + 1

    async def _stats(self, _: web.Request) -> web.Response:
        """What tests ask: trainings started on a VM per run, requests per service, attachments per compute."""
        store = self.workspace.store
        trainings = {
            run["runId"]: (store.get(runs.EXECUTION, run["runId"]) or {}).get("trainings", 0)
            for run in store.all(runs.RUN)
        }
        puts = {compute["name"]: compute.get("puts", 1) for compute in store.all(computes.KIND)}
        return web.json_response(
            {"trainings": trainings, "requests": self.workspace.requests_seen, "attachments": puts}
        )


def _answer_to(request: web.Request, error: Exception) -> web.Response:
    """An error in the shape of the service. Never a 5xx by accident: clients retry those for minutes."""
    if isinstance(error, InsteadError):
        return error.response
    if isinstance(error, ServiceError):
        return error.response(request.path)
    if isinstance(error, web.HTTPNotFound | web.HTTPMethodNotAllowed):
        log.warning("%s %s is not answered by this stand-in", request.method, request.path)
        return ServiceError(error.status, "NotFound", "this stand-in does not answer that").response(request.path)
    if isinstance(error, web.HTTPException):
        return ServiceError(error.status, "BadArgument", error.reason).response(request.path)
    if isinstance(error, KeyError | TypeError | ValueError):
        log.warning("%s %s was not understood", request.method, request.path, exc_info=error)
        return ServiceError(400, "BadArgument", f"the request was not understood: {error!r}").response(request.path)
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return ServiceError(500, "InternalError", "the stand-in failed; its log says why").response(request.path)
