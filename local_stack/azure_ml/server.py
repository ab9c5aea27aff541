"""Puts the services together behind one TLS listener, with authorisation, faults and a log that shows no secret."""

import logging
import ssl
import time
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from local_stack.azure_ml import artifacts, blobs, computes, identity, metrics, runs, snapshots
from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.execution import Execution
from local_stack.azure_ml.faults import Faults
from local_stack.azure_ml.history import History
from local_stack.azure_ml.models import Models
from local_stack.azure_ml.tls import ensure_certificates
from local_stack.azure_ml.workspace import Workspace
from local_stack.files import write_object

log = logging.getLogger("azure_ml")

_OPEN = ("/metadata/", "/adfs/", "/discovery", "/blobs/", "/_faults")
_MOST_BYTES = 1 << 30


class Server:
    """The stand-in: opened on a folder, listening until stopped."""

    def __init__(self, folder: Path, port: int, known_hosts: Path | None) -> None:
        self._folder, self._port = folder, port
        self.workspace = Workspace.open(folder)
        self._execution = Execution(self.workspace, known_hosts)
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen, write ``endpoints.json`` and go on with runs that had not ended; the URL."""
        chain, key, self.workspace.ca_bundle = (path.resolve() for path in ensure_certificates(self._folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self._runner = web.AppRunner(self._app(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context)
        await site.start()
        port = self._runner.addresses[0][1]
        self.workspace.url = f"https://127.0.0.1:{port}"
        write_object(self._folder / "endpoints.json", self.workspace.endpoints())
        self._execution.resume()
        return self.workspace.url

    async def stop(self) -> None:
        """Stop listening; the state is on disk already."""
        await self._execution.stop()
        if self._runner:
            await self._runner.cleanup()
        self.workspace.store.close()

    def _app(self) -> web.Application:
        faults = Faults(self.workspace)

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            began = time.monotonic()
            try:
                self._count(request)
                if not request.path.startswith("/_"):
                    await faults.strike(request)
                if not request.path.startswith(_OPEN):
                    self._authorise(request)
                response = await handler(request)
            except ServiceError as error:
                response = error.response(flat=request.path.startswith("/modelmanagement"))
            except web.HTTPNotFound:
                log.warning("%s %s is not answered by this stand-in", request.method, request.path)
                response = ServiceError(404, "NotFound", "this stand-in does not answer that").response()
            status = response.status
            log.info("%s %s %d %.0f ms", request.method, request.path, status, (time.monotonic() - began) * 1000)
            return response

        app = web.Application(middlewares=[guard], client_max_size=_MOST_BYTES)
        for service in (identity, computes, metrics, artifacts, blobs, snapshots):
            app.add_routes(service.routes(self.workspace))
        app.add_routes(History(self.workspace).routes())
        app.add_routes(Models(self.workspace).routes())
        app.add_routes(self._execution.routes())
        app.add_routes(faults.routes())
        app.add_routes([web.get("/_stats", self._stats)])
        return app

    def _authorise(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.workspace.is_token(token):
            raise ServiceError(401, "Unauthorized", "the bearer token is missing, expired or not ours")

    def _count(self, request: web.Request) -> None:
        service = request.path.split("/", 2)[1]
        self.workspace.requests_seen[service] = self.workspace.requests_seen.get(service, 0) + 1

    async def _stats(self, _: web.Request) -> web.Response:
        """What tests ask: trainings started on a VM per run, requests per service since the start."""
        store = self.workspace.store
        trainings = {
            run["runId"]: (store.get(runs.EXECUTION, run["runId"]) or {}).get("trainings", 0)
            for run in store.all(runs.RUN)
        }
        return web.json_response({"trainings": trainings, "requests": self.workspace.requests_seen})
