"""Puts the stand-in together: store, grid, couriers and listener; start and stop."""

import os
import secrets
import socket
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from local_stack.azure_ml.tls import server_tls
from local_stack.event_grid import routes
from local_stack.event_grid.delivery import Couriers
from local_stack.event_grid.grid import Grid
from local_stack.event_grid.models import Config
from local_stack.event_grid.store import Store
from local_stack.files import private_folder, write_object
from local_stack.identity.tokens import Issuer

HOST: Final = "127.0.0.1"
_GRACE: Final = 3.0  # seconds that deliveries under way get when the stand-in stops


class EventGrid:
    """The running stand-in on a state folder."""

    def __init__(self, state: Path, config: Config, *, scale: float = 1.0, issuer: Issuer | None = None) -> None:
        """``issuer``: whose tokens are taken besides keys; by TLS too then, as clients with tokens insist on."""
        self._state = private_folder(state)
        self._store = Store(state / "event_grid.sqlite3")
        self._grid = Grid(self._store, config, scale=scale)
        self._issuer = issuer
        self._control_key = self._store.key("control", lambda: secrets.token_urlsafe(32))

    async def start(self, port: int, tls_port: int = 0) -> str:
        """Listen, on free ports for those that are 0, go on with what was under way, write ``endpoints.json``; the URL.

        ``tls_port``: for those who come with a token.
        """
        listener = socket.create_server((HOST, port))
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._couriers = Couriers(self._grid)
        key, issuer = self._control_key, self._issuer
        app = routes.application(self._grid, self._couriers, base_url=url, control_key=key, issuer=issuer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        by_token = await self._serve_by_tls(tls_port) if issuer else {}
        write_object(self._state / "endpoints.json", self._endpoints(url) | by_token)
        return url

    async def stop(self) -> None:
        """Take no more events, end deliveries in good order, close the store."""
        (self._state / "endpoints.json").unlink(missing_ok=True)
        await self._runner.cleanup()
        await self._couriers.stop(_GRACE)
        self._store.close()

    async def _serve_by_tls(self, port: int) -> dict[str, Any]:
        context, bundle = server_tls(self._state)
        listener = socket.create_server((HOST, port))
        await web.SockSite(self._runner, listener, ssl_context=context).start()
        url = f"https://{HOST}:{listener.getsockname()[1]}"
        endpoints = {name: routes.endpoint_of(url, name) for name in self._grid.topics}
        return {"by_token": {"ca_bundle": str(bundle), "endpoints": endpoints}}

    def _endpoints(self, url: str) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "url": url,
            "control_url": f"{url}/control",
            "control_key": self._control_key,
            "topics": {
                name: {
                    "endpoint": routes.endpoint_of(url, name),
                    "key": self._grid.topic_key(name),
                    "input_schema": topic.input_schema,
                }
                for name, topic in self._grid.topics.items()
            },
        }
