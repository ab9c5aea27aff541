"""Puts the services together behind one TLS listener, with authorisation, faults and a log that shows no secret."""

import hmac
import logging
import ssl
import time
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from local_stack.azure_arm import metrics
from local_stack.azure_arm.account import TOKEN_SECONDS, Account
from local_stack.azure_arm.apps import Apps
from local_stack.azure_arm.environment import Environment
from local_stack.azure_arm.revisions import Revisions
from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.faults import Faults, InsteadError
from local_stack.azure_ml.tls import ensure_certificates
from local_stack.files import write_object

log = logging.getLogger("azure_arm")

AUDIENCE: Final = "https://management.azure.com/"
_GRACE_SECONDS: Final = 2
_OPEN: Final = ("/openid-configuration", "/oauth2/v2.0/token", "/logstream")  # no token wanted


class Server:
    """The stand-in: opened on a folder, listening until stopped."""

    def __init__(self, environment: Environment, port: int) -> None:
        self._environment, self._port = environment, port
        self._account: Account = environment.account
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen, start what ran before, and write ``endpoints.json``; the URL."""
        account = self._account
        chain, key, account.ca_bundle = (path.resolve() for path in ensure_certificates(account.folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_GRACE_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context).start()
        account.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        self._environment.resume()
        write_object(account.folder / "endpoints.json", account.endpoints())
        return account.url

    async def stop(self) -> None:
        """Stop listening; the state is on disk already."""
        if self._runner:
            await self._runner.cleanup()
        await self._environment.stop()

    def _app(self) -> web.Application:
        faults = Faults(self._account.identity["faults_key"])

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            began = time.monotonic()
            try:
                self._count(request)
                await faults.strike(request)
                self._authorise(request)
                response = await handler(request)
                await faults.strike(request, after=True)
            except Exception as error:  # noqa: BLE001 - told apart, logged and answered there
                response = _answer_to(request, error)
            took = (time.monotonic() - began) * 1000
            log.info("%s %s %d %.0f ms", request.method, request.path, response.status, took)
            return response

        app = web.Application(middlewares=[guard])
        for service in (Apps(self._environment), Revisions(self._environment)):
            app.add_routes(service.routes())
        app.add_routes(metrics.routes(self._environment))
        app.add_routes(faults.routes())
        app.add_routes(
            [
                web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._openid),
                web.post("/{tenant}/oauth2/v2.0/token", self._client_credentials),
                web.get("/_stats", self._stats),
            ]
        )
        return app

    def _authorise(self, request: web.Request) -> None:
        path = request.path
        if path.startswith("/_") or path.endswith(_OPEN):
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self._account.admits(token, AUDIENCE):
            raise ServiceError(401, "InvalidAuthenticationToken", "The access token is missing, expired or not ours.")
        subscription = self._account.identity["subscription_id"]
        if not path.startswith(f"/subscriptions/{subscription}/"):
            raise ServiceError(404, "SubscriptionNotFound", "The subscription could not be found.")
        group = request.match_info.get("rg")
        if group is not None and group.lower() != self._account.identity["resource_group"].lower():
            raise ServiceError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        if "api-version" not in request.query:
            raise ServiceError(400, "MissingApiVersionParameter", "The api-version query parameter is required.")

    async def _openid(self, request: web.Request) -> web.Response:
        place = f"{self._account.url}/{request.match_info['tenant']}"
        return web.json_response(
            {
                "issuer": f"{place}/v2.0",
                "authorization_endpoint": f"{place}/oauth2/v2.0/authorize",
                "token_endpoint": f"{place}/oauth2/v2.0/token",
            }
        )

    async def _client_credentials(self, request: web.Request) -> web.Response:
        form, who = await request.post(), self._account.identity
        known = form.get("client_id") == who["client_id"] and request.match_info["tenant"] == who["tenant_id"]
        if not known or not hmac.compare_digest(str(form.get("client_secret", "")), who["client_secret"]):
            reason = "AADSTS7000215: Invalid client secret provided."
            return web.json_response({"error": "invalid_client", "error_description": reason}, status=401)
        if form.get("scope") != f"{AUDIENCE}.default":
            return web.json_response({"error": "invalid_scope", "error_description": "AADSTS70011"}, status=400)
        access = self._account.token(AUDIENCE)
        return web.json_response({"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "access_token": access})

    def _count(self, request: web.Request) -> None:
        self._account.requests_seen[request.method] = self._account.requests_seen.get(request.method, 0) + 1

    async def _stats(self, _: web.Request) -> web.Response:
        """What tests ask: requests by method since the start."""
        return web.json_response({"requests": self._account.requests_seen})


def _answer_to(request: web.Request, error: Exception) -> web.Response:
    """An error in ARM's shape. Never a 5xx by accident: clients retry those for minutes."""
    if isinstance(error, InsteadError):
        return error.response
    if isinstance(error, ServiceError):
        return error.response(request.path)
    if isinstance(error, web.HTTPNotFound | web.HTTPMethodNotAllowed):
        log.warning("%s %s is not answered by this stand-in", request.method, request.path)
        return ServiceError(error.status, "NotFound", "this stand-in does not answer that").response()
    if isinstance(error, web.HTTPException):
        return ServiceError(error.status, "BadRequest", error.reason).response()
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
        log.warning("%s %s was not understood", request.method, request.path, exc_info=error)
        return ServiceError(400, "InvalidRequestContent", f"the request was not understood: {error!r}").response()
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return ServiceError(500, "InternalServerError", "the stand-in failed; its log says why").response()
