"""The page of a simulated world over HTTP, for a browser: what the host's routes do, and nothing else."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

import azure.functions as func
from aiohttp import web

from function_app.page.serving import asset, show
from tests.simulation.world import World
from tests.support.page_world import screen_at


@contextmanager
def served(world: World) -> Iterator[str]:
    """The address of the page, until the end. The world is not touched meanwhile but by :func:`served`'s thread."""
    ready = threading.Event()
    stops: list[Callable[[], object]] = []
    urls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        found = await _respond(request, body, world)
        headers = {name: value for name, value in found.headers.items() if name.lower() != "content-type"}
        return web.Response(
            status=found.status_code,
            body=found.get_body(),
            headers=headers,
            content_type=found.mimetype,
            charset=found.charset,
        )

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=world.runner.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield urls[0]
    finally:
        stops[0]()
        thread.join(timeout=10)


async def _respond(request: web.Request, body: bytes, world: World) -> func.HttpResponse:
    if request.path.startswith("/ui/assets/"):
        return asset(request.path.rpartition("/")[2])
    try:
        screen, route = screen_at(request.path)
    except LookupError:
        return func.HttpResponse(status_code=404)
    asked = func.HttpRequest(
        method=request.method,
        url=str(request.url),
        headers=dict(request.headers),
        params=dict(parse_qsl(request.query_string)),
        route_params=route,
        body=body,
    )
    return await show(screen, asked, world.services, world.client)
