"""The Event Grid extension's webhook, which turns deliveries into function calls.

Source of the rules: the Event Grid extension (``aeg-event-type`` decides) and, for the CloudEvents handshake, the
CloudEvents webhook specification, which the platform in front of the real host answers.
"""

import asyncio
import json
import logging
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from local_stack.functions_host.functions import EVENT_GRID_TRIGGER, HostedFunction
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError, error_type
from local_stack.functions_host.keys import EVENT_GRID_KEY, Access, Level
from local_stack.functions_host.routing import RouteTable, RouteValues

log = logging.getLogger("functions_host.event_grid")


class _MalformedError(Exception):
    """The delivery is not what Event Grid sends."""


class EventGridWebhook:
    """``/runtime/webhooks/eventgrid?functionName=...&code=...``."""

    def __init__(self, invoker: AppInvoker) -> None:
        self._invoker = invoker

    def add_to(self, table: RouteTable) -> None:
        """Add the webhook, guarded by the extension's system key."""
        access = Access(Level.SYSTEM, EVENT_GRID_KEY)
        table.add("POST", "runtime/webhooks/eventgrid", self.deliver, access)
        table.add("OPTIONS", "runtime/webhooks/eventgrid", self.handshake, access)

    async def handshake(self, request: web.Request, _values: RouteValues) -> web.Response:
        """Consent to CloudEvents deliveries."""
        if self._function(request) is None:
            return _unknown(request)
        origin = request.headers.get("WebHook-Request-Origin")
        if origin is None:
            return web.Response(status=400)
        return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})

    async def deliver(self, request: web.Request, _values: RouteValues) -> web.Response:
        """Validate the subscription, run the function once per event, or note the end of the subscription."""
        function = self._function(request)
        if function is None:
            return _unknown(request)
        kind = request.headers.get("aeg-event-type", "").lower()
        try:
            if kind == "subscriptionvalidation":
                return web.json_response({"validationResponse": _validation_code(await _events(request))})
            if kind == "notification":
                return await self._run(function, await _events(request))
        except _MalformedError as error:
            log.warning("event grid delivery refused function=%s reason=%s", function.name, error)
            return web.Response(status=400, text=str(error))
        return web.Response(status=202 if kind == "unsubscribe" else 400)

    def _function(self, request: web.Request) -> HostedFunction | None:
        return self._invoker.find(request.query.get("functionName", ""), EVENT_GRID_TRIGGER)

    async def _run(self, function: HostedFunction, events: list[dict[str, Any]]) -> web.Response:
        calls = (self._invoker.run_trigger(function, Datum(json.dumps(event), "json")) for event in events)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, FunctionFailedError):
                log.error(
                    "event grid function failed name=%s error=%s\n%s", function.name, error_type(outcome), outcome.stack
                )
            elif isinstance(outcome, BaseException):
                raise outcome
        failed = [outcome for outcome in outcomes if isinstance(outcome, FunctionFailedError)]
        log.info("event grid delivery function=%s events=%d failed=%d", function.name, len(events), len(failed))
        # Any failure answers for all: Event Grid then sends the whole request again.
        return web.Response(status=500, text=str(failed[0])) if failed else web.Response(status=202)


def _unknown(request: web.Request) -> web.Response:
    return web.Response(status=404, text=f"cannot find function: '{request.query.get('functionName', '')}'")


async def _events(request: web.Request) -> list[dict[str, Any]]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise _MalformedError("the body is not JSON") from None
    events = body if isinstance(body, list) else [body]
    if not events or not all(isinstance(event, dict) for event in events):
        raise _MalformedError("the body must be an event object or an array of them")
    return events


def _validation_code(events: list[dict[str, Any]]) -> str:
    data = events[0].get("data")
    if isinstance(data, str):  # CloudEvents carry it as a JSON text
        try:
            data = json.loads(data)
        except ValueError:
            data = None
    code = data.get("validationCode") if isinstance(data, dict) else None
    if not isinstance(code, str):
        raise _MalformedError("the event has no data.validationCode")
    return code
