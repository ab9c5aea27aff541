"""The endpoint that App Service gives each app with an identity.

https://learn.microsoft.com/azure/app-service/overview-managed-identity, "REST endpoint reference".
"""

import hmac
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from local_stack.files import private_folder, read_object, write_object
from local_stack.identity.tokens import Issuer, known_resource

HOST: Final = "127.0.0.1"
TOKEN_SECONDS: Final = 86400  # of a managed identity
API_VERSION: Final = "2019-08-01"
ISSUER_FILE: Final = "issuer.json"
_UNKNOWN: Final = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."


class TokenEndpoint:
    """Answers ``GET /msi/token``, and ``GET /_stats`` for tests. ``resources``: what tokens are issued for besides."""

    def __init__(
        self,
        state: Path,
        *,
        seconds: int = TOKEN_SECONDS,
        resources: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = private_folder(state)
        self.issuer = Issuer.open(state / ISSUER_FILE)
        self._seconds = seconds
        self._resources = resources
        self._clock = clock
        header = read_object(state / "header.json") or {"header": secrets.token_urlsafe(24)}
        write_object(state / "header.json", header)
        self._header = str(header["header"])
        self._issued: Counter[str] = Counter()

    async def start(self, port: int) -> str:
        """Listen, on a free port if ``port`` is 0, and write ``endpoints.json``; the URL."""
        app = web.Application()
        app.add_routes([web.get("/msi/token", self._token), web.get("/_stats", self._stats)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        url = f"http://{HOST}:{self._runner.addresses[0][1]}"
        write_object(self._state / "endpoints.json", self.endpoints(url))
        return url

    async def stop(self) -> None:
        """Stop listening."""
        (self._state / "endpoints.json").unlink(missing_ok=True)
        await self._runner.cleanup()

    def endpoints(self, url: str) -> dict[str, Any]:
        """What an app is given in its environment, and which identities there are."""
        return {
            "pid": os.getpid(),
            "url": url,
            "IDENTITY_ENDPOINT": f"{url}/msi/token",
            "IDENTITY_HEADER": self._header,
            "client_ids": list(self.issuer.identities),
            "issuer_file": str((self._state / ISSUER_FILE).resolve()),
        }

    async def _token(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get("X-IDENTITY-HEADER", ""), self._header):
            return _refusal(401, "Unauthorized")
        if request.query.get("api-version") != API_VERSION:
            return _refusal(400, f"api-version must be {API_VERSION}")
        resource = request.query.get("resource", "")
        if not known_resource(resource, self._resources):
            return _refusal(400, "AADSTS500011: the resource principal was not found in the tenant")
        client_id = request.query.get("client_id") or next(iter(self.issuer.identities))
        if client_id not in self.issuer.identities:
            return _refusal(400, _UNKNOWN)
        self._issued[known_resource(resource, self._resources)] += 1
        now = int(self._clock())
        token = self.issuer.issue(resource, client_id, now=now, seconds=self._seconds)
        return web.json_response(
            {
                "access_token": token,
                "client_id": client_id,
                "expires_on": str(now + self._seconds),
                "not_before": str(now - 300),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response({"issued": dict(self._issued)})


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
