"""The hub's front: a reverse proxy that refuses what :mod:`guard_rules` says and passes everything else untouched.

Run as ``python -m local_stack.stack_hub.guard --port N --backend-port N``.
"""

import argparse
import asyncio
import logging
import signal
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from local_stack.logs import log_to
from local_stack.stack_hub.guard_rules import NEWEST, Refusal, new_request_id, refusal
from local_stack.storage.passing import pass_on, session

HOST: Final = "127.0.0.1"
_BACKEND: Final = web.AppKey("backend", URL)
_NEWEST: Final = web.AppKey("newest", str)
_CLOCK: Final = web.AppKey("clock", timedelta)
_log = logging.getLogger("guard")


def create_app(backend: URL, *, newest: str = NEWEST, clock: timedelta = timedelta()) -> web.Application:
    """The guard in front of the blob service at ``backend`` (scheme, host and port).

    ``newest``: the newest version that the hub knows. ``clock``: by how much its clock is ahead.
    """
    app = web.Application(client_max_size=0)
    app[_BACKEND] = backend
    app[_NEWEST] = newest
    app[_CLOCK] = clock
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", _handle)
    return app


async def _handle(request: web.Request) -> web.StreamResponse:
    reason = refusal(request.headers, request.query, request.app[_NEWEST])
    if reason is not None:
        _log.warning("refused %s %s: %s", request.method, request.path, reason.code)
        return _refuse(reason)
    try:
        return await _pass(request)
    except aiohttp.ClientConnectionError:
        _log.warning("%s %s: the storage behind the guard does not answer", request.method, request.path)
        return _refuse(Refusal(503, "ServerBusy", "The server is currently unable to receive requests."))


def _refuse(reason: Refusal) -> web.Response:
    request_id = new_request_id()
    return web.Response(
        status=reason.status,
        headers=reason.headers(request_id),
        body=reason.body(request_id, datetime.now(UTC)).encode(),
        content_type="application/xml",
    )


async def _pass(request: web.Request) -> web.StreamResponse:
    clock = request.app[_CLOCK]
    told = {"Date": format_datetime(datetime.now(UTC) + clock, usegmt=True)} if clock else {}
    return await pass_on(request, f"{request.app[_BACKEND]}{request.raw_path}", answer_with=told)


async def serve(port: int, backend_port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    app = create_app(URL(f"http://{HOST}:{backend_port}"))
    # Bodies are passed on as they are, so a compressed one must not be unpacked here.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        await done.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description="Azure Stack Hub's limits in front of a blob service")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend-port", type=int, required=True)
    arguments = parser.parse_args()
    log_to(sys.stderr)
    asyncio.run(serve(arguments.port, arguments.backend_port))


if __name__ == "__main__":
    main()
