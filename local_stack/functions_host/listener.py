"""One loopback HTTP listener over a route table: match, check the key, call."""

import logging
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from aiohttp import web

from local_stack.functions_host.keys import Access
from local_stack.functions_host.routing import RouteTable

LOOPBACK: Final = "127.0.0.1"
_BODY_LIMIT: Final = 100 * 1024 * 1024  # the real host's limit, in bytes

Guard = Callable[[web.Request, Access], bool]

log = logging.getLogger("functions_host.http")


def bind(port: int) -> socket.socket:
    """A loopback socket, not yet listening; port 0 picks a free one. Raises ``OSError`` when the port is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def base_url(bound: socket.socket) -> str:
    """URL of a socket made by :func:`bind`, no trailing slash."""
    return f"http://{LOOPBACK}:{bound.getsockname()[1]}"


class HttpListener:
    """Serves a route table on a bound socket. ``guard`` says whether a request may pass an endpoint's access rule."""

    def __init__(self, bound: socket.socket, table: RouteTable, guard: Guard, grace: timedelta) -> None:
        self._socket = bound
        self._table = table
        self._guard = guard
        app = web.Application(client_max_size=_BODY_LIMIT)
        # Not ".*", which ends at a line's end: %0A is part of a path like anything else.
        app.router.add_route("*", r"/{path:[\s\S]*}", self._dispatch)
        # No access log: request lines carry keys. On cleanup running requests get the grace period.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=grace.total_seconds())

    async def start(self) -> None:
        """Accept connections."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def stop(self) -> None:
        """Accept no more, let running requests end within the grace period, then cancel them."""
        await self._runner.cleanup()
        self._socket.close()

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        found = self._table.find(request.method, request.rel_url.raw_path)
        if found is None:
            return web.Response(status=404)
        route, values = found
        if not self._guard(request, route.access):
            return web.Response(status=401)
        return await route.handler(request, values)
