"""The hub's guard in front of a blob service, for a test."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from yarl import URL

from local_stack.stack_hub.guard import create_app


@contextmanager
def running_hub_guard(backend_port: int, **limits: Any) -> Iterator[int]:
    """Run the guard in a thread of its own; yields its port on the loopback. ``limits`` as ``create_app`` has."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="hub-guard")
    thread.start()
    runner = web.AppRunner(
        create_app(URL(f"http://127.0.0.1:{backend_port}"), **limits),
        access_log=None,
        shutdown_timeout=1,
        auto_decompress=False,
    )
    try:
        yield asyncio.run_coroutine_threadsafe(_start(runner), loop).result(timeout=30)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()


async def _start(runner: web.AppRunner) -> int:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    return port
