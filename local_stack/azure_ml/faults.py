"""Injected faults: a path answers with a status for a while, late, or as a foreign answer. Needs the stand-in's key."""

import asyncio
import hmac
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from local_stack.azure_ml.answers import ServiceError, body_of


@dataclass(slots=True)
class Fault:
    """``status`` 0: only ``delay`` seconds, or until it is cleared.

    Ends after ``count`` requests or at ``ends``, whichever comes first.
    ``after``: the request is carried out first, and then its answer is lost. ``text``: what comes instead of an answer,
    with ``headers``, as from a proxy in between.
    """

    path: re.Pattern[str]
    status: int
    delay: float
    count: int
    ends: float
    after: bool
    text: str | None
    headers: dict[str, str]
    cleared: asyncio.Event = field(default_factory=asyncio.Event)


class InsteadError(Exception):
    """Carries what is answered instead."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


class Faults:
    """The faults that are set now."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._faults: list[Fault] = []

    async def strike(self, request: web.Request, *, after: bool = False) -> None:
        """Delay or refuse this request, or (``after``) its answer, if a fault says so. Never our own paths."""
        if request.path.startswith("/_"):
            return
        for fault in self._faults:
            due = fault.after is after and fault.count > 0 and time.monotonic() < fault.ends
            if due and fault.path.search(request.path):
                fault.count -= 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(fault.cleared.wait(), fault.delay)
                if fault.text is not None:
                    raise InsteadError(web.Response(text=fault.text, status=fault.status or 200, headers=fault.headers))
                if fault.status:
                    raise ServiceError(fault.status, "InjectedFault", "a fault was injected here")

    def routes(self) -> list[web.RouteDef]:
        """``POST /_faults`` sets one, ``DELETE /_faults`` clears all; header ``x-faults-key``."""

        def check(request: web.Request) -> None:
            if not hmac.compare_digest(request.headers.get("x-faults-key", ""), self._key):
                raise ServiceError(401, "Unauthorized", "x-faults-key is missing or wrong")

        async def add(request: web.Request) -> web.Response:
            check(request)
            body = await body_of(request)
            seconds = float(body.get("seconds", 3600))
            try:
                path = re.compile(body["path"])
            except re.error as error:
                raise ServiceError(400, "BadArgument", f"path is no regular expression: {error}") from None
            self._faults.append(
                Fault(
                    path=path,
                    status=int(body.get("status", 0)),
                    delay=float(body.get("delay", 0)),
                    count=int(body.get("count", 1_000_000)),
                    ends=time.monotonic() + seconds,
                    after=bool(body.get("after", False)),
                    text=body.get("text"),
                    headers=dict(body.get("headers") or {}),
                )
            )
            return web.json_response({"faults": len(self._faults)})

        async def clear(request: web.Request) -> web.Response:
            check(request)
            for fault in self._faults:
                fault.cleared.set()
            self._faults.clear()
            return web.json_response({"faults": 0})

        return [web.post("/_faults", add), web.delete("/_faults", clear)]
