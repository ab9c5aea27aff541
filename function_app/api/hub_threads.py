"""Threads of their own for what waits for the storage of a site: a hub that hangs holds up nobody who asks for others.

Everything else of the app shares few threads; some requests to a hub that hangs would take all of them.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from shared.errors import TransientError

MOST: Final = 4
Given = ParamSpec("Given")
Found = TypeVar("Found")
_threads = ThreadPoolExecutor(max_workers=MOST, thread_name_prefix="hubs")


async def at_a_hub(function: Callable[Given, Found], *given: Given.args, **more: Given.kwargs) -> Found:
    """What the function returns, called in one of these threads."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: context.run(function, *given, **more))


async def in_time(asked: Awaitable[Found], seconds: float) -> Found:
    """The answer of something that asks a hub; raises :class:`TransientError` when it takes longer."""
    try:
        return await asyncio.wait_for(asked, seconds)
    except TimeoutError:
        raise TransientError(f"the storage of the site did not answer within {seconds:g} s") from None
