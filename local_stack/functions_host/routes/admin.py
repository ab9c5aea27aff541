"""The admin API, as far as operators of this app use it: that the host and a function run, and running one by hand."""

import asyncio
import json
import logging
import time
from datetime import timedelta
from typing import Final

from aiohttp import web
from azure.functions.meta import Datum

from local_stack.functions_host import functions as kinds
from local_stack.functions_host.functions import HostedFunction
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError, error_type
from local_stack.functions_host.keys import MASTER_ONLY
from local_stack.functions_host.routing import RouteTable, RouteValues
from local_stack.functions_host.triggers.service_bus_message import made_by_hand
from local_stack.functions_host.triggers.timer import timer_datum

log = logging.getLogger("functions_host.admin")

HOST_VERSION: Final = "4.0.0-local"
_NOT_BY_HAND: Final = frozenset({kinds.HTTP_TRIGGER, kinds.ORCHESTRATION_TRIGGER})


class AdminApi:
    """Everything below ``/admin``; only the master key opens it."""

    def __init__(self, invoker: AppInvoker, host_id: str) -> None:
        self._invoker = invoker
        self._host_id = host_id
        self._started = time.monotonic()
        self._by_hand: set[asyncio.Task[None]] = set()

    def add_to(self, table: RouteTable) -> None:
        """Add all routes."""
        table.add("GET", "admin/host/status", self.host_status, MASTER_ONLY)
        table.add("GET", "admin/host/processes", self.processes, MASTER_ONLY)
        table.add("GET", "admin/functions/{name}/status", self.function_status, MASTER_ONLY)
        table.add("POST", "admin/functions/{name}", self.run_by_hand, MASTER_ONLY)

    async def host_status(self, _request: web.Request, _values: RouteValues) -> web.Response:
        """That the host runs, and since when."""
        uptime = int((time.monotonic() - self._started) * 1000)
        details = "local stand-in"
        body = {"id": self._host_id, "state": "Running", "version": HOST_VERSION, "versionDetails": details}
        return web.json_response({**body, "processUptime": uptime, "extensionBundle": None})

    async def processes(self, _request: web.Request, _values: RouteValues) -> web.Response:
        """The worker processes, with the calls that each was given; none when the host runs the app by itself."""
        return web.json_response({"workers": self._invoker.processes()})

    async def function_status(self, _request: web.Request, values: RouteValues) -> web.Response:
        """Errors of one function; a function with errors stops the host, so there are none."""
        return web.Response(status=404) if self._any(values["name"]) is None else web.json_response({"errors": None})

    async def run_by_hand(self, request: web.Request, values: RouteValues) -> web.Response:
        """Start a non-HTTP function with the text in ``input``; answers 202 at once, the outcome goes to the log."""
        function = self._any(values["name"])
        if function is None:
            return web.Response(status=404)
        if function.trigger.type in _NOT_BY_HAND:
            return web.Response(status=400, text=f"a function with a {function.trigger.type} is not run this way")
        text = await _input_text(request)
        if text is None:
            return web.Response(status=400, text='the body must be an object with a text "input"')
        task = asyncio.create_task(self._run(function, text))
        self._by_hand.add(task)
        task.add_done_callback(self._by_hand.discard)
        return web.Response(status=202)

    async def settle(self, grace: timedelta) -> None:
        """Give calls made by hand this long to end."""
        if self._by_hand:
            await asyncio.wait(self._by_hand, timeout=grace.total_seconds())

    async def _run(self, function: HostedFunction, text: str) -> None:
        log.info("function run by hand name=%s", function.name)
        try:
            if function.trigger.type == kinds.ACTIVITY_TRIGGER:
                # Activities return values, which nobody takes here.
                await self._invoker.run_activity(function.name, text, instance_id="")
            else:
                await self._invoker.run_trigger(function, _datum(function, text), _metadata(function))
        except Exception as error:  # noqa: BLE001 - reported; nobody waits for this task
            stack = error.stack if isinstance(error, FunctionFailedError) else ""
            log.error("function run by hand failed name=%s error=%s\n%s", function.name, error_type(error), stack)

    def _any(self, name: str) -> HostedFunction | None:
        """Disabled functions too: the master key still reaches them."""
        return next((item for item in self._invoker.functions if item.key == name.lower()), None)


def _datum(function: HostedFunction, text: str) -> Datum:
    if function.trigger.type == kinds.TIMER_TRIGGER:
        return timer_datum(None, past_due=False)
    return Datum(text, "json" if function.trigger.type == kinds.EVENT_GRID_TRIGGER else "string")


def _metadata(function: HostedFunction) -> dict[str, Datum]:
    return made_by_hand() if function.trigger.type == kinds.SERVICE_BUS_TRIGGER else {}


async def _input_text(request: web.Request) -> str | None:
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        return None
    text = body.get("input", "") if isinstance(body, dict) else None
    return text if isinstance(text, str) else None
