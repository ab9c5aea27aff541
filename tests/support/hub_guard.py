"""The hub's guard in front of a blob service, for a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from yarl import URL

from local_stack.stack_hub.guard import create_app
from tests.support.in_a_thread import in_a_thread


@contextmanager
def running_hub_guard(backend_port: int, **limits: Any) -> Iterator[int]:
    """Run the guard; yields its port on the loopback. ``limits`` as ``create_app`` has."""
    runner = web.AppRunner(
        create_app(URL(f"http://127.0.0.1:{backend_port}"), **limits),
        access_log=None,
        shutdown_timeout=1,
        auto_decompress=False,
    )
    with in_a_thread(runner) as port:
        yield port
