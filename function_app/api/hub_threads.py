"""Threads of their own for what waits for others: a hub that hangs holds up nobody who asks for something else.

Everything else of the app shares few threads; some requests to a hub that hangs would take all of them. Registries
have threads too, and the doctor, who asks everything.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import Final, ParamSpec, TypeVar

from shared.errors import TransientError

MOST: Final = 4
Given = ParamSpec("Given")
Found = TypeVar("Found")
_hubs = ThreadPoolExecutor(max_workers=MOST, thread_name_prefix="hubs")
_registries = ThreadPoolExecutor(max_workers=MOST, thread_name_prefix="registries")
_doctors = ThreadPoolExecutor(max_workers=2, thread_name_prefix="doctors")


class Other(StrEnum):
    """Who else is asked."""

    STORAGE = "the storage of the site"
    REGISTRY = "the registry"
    DOCTOR = "the doctor"


class LateError(TransientError):
    """Somebody else did not answer within the seconds that there were."""

    def __init__(self, who: Other, seconds: float) -> None:
        super().__init__(f"{who.value} did not answer within {seconds:g} s")
        self.who, self.seconds = who, seconds


async def at_a_hub(function: Callable[Given, Found], *given: Given.args, **more: Given.kwargs) -> Found:
    """What the function returns, called in one of the threads for hubs."""
    return await _in(_hubs, partial(function, *given, **more))


async def at_a_registry(function: Callable[Given, Found], *given: Given.args, **more: Given.kwargs) -> Found:
    """What the function returns, called in one of the threads for registries."""
    return await _in(_registries, partial(function, *given, **more))


async def by_a_doctor(function: Callable[Given, Found], *given: Given.args, **more: Given.kwargs) -> Found:
    """What the function returns, called in one of the doctor's threads."""
    return await _in(_doctors, partial(function, *given, **more))


async def in_time(asked: Awaitable[Found], seconds: float, *, who: Other = Other.STORAGE) -> Found:
    """The answer of something that asks others; raises :class:`LateError` when it takes longer."""
    try:
        return await asyncio.wait_for(asked, seconds)
    except TimeoutError:
        raise LateError(who, seconds) from None


async def _in(threads: ThreadPoolExecutor, call: Callable[[], Found]) -> Found:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(threads, lambda: context.run(call))
