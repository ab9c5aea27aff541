"""The page of a simulated world over HTTP, for a browser: what the host's routes do, and nothing else."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import azure.functions as func
from aiohttp import web

from function_app.api.actors import KEY as KEY_HEADER
from tests.simulation.world import World
from tests.support.page_world import KEY, answer_of, asked_for


@contextmanager
def served(world: World, *, key: str = KEY) -> Iterator[str]:
    """The address of the page, until the end. Every request has the key; where it is empty, people sign in.

    The world is not touched meanwhile but by :func:`served`'s thread.
    """
    ready = threading.Event()
    stops: list[Callable[[], object]] = []
    urls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        found = await _respond(request, body, world, key)
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


async def _respond(request: web.Request, body: bytes, world: World, key: str) -> func.HttpResponse:
    headers = {KEY_HEADER: key, **request.headers}
    try:
        return await answer_of(world, asked_for(request.method, request.raw_path, headers, body))
    except LookupError:
        return func.HttpResponse(status_code=404)
