"""HTTP-triggered functions: a request in, the function's answer out."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from local_stack.functions_host.functions import HTTP_TRIGGER, HostedFunction
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError, error_type
from local_stack.functions_host.keys import ANYONE, MASTER_ONLY, Access, KeyRing, Level
from local_stack.functions_host.routing import Handler, RouteTable, RouteValues

log = logging.getLogger("functions_host.http")


def add_http_triggers(table: RouteTable, invoker: AppInvoker, keys: KeyRing, route_prefix: str) -> None:
    """Add a route for every HTTP function. A disabled one is 404 to all but the master key."""
    for function in invoker.functions:
        if function.trigger.type != HTTP_TRIGGER:
            continue
        route = str(function.trigger.attributes.get("route", function.name)).strip("/")
        handler = _handler(invoker, function)
        if function.disabled:
            handler = _only_with_master_key(handler, keys)
        access = ANYONE if function.disabled else _access(function)
        table.add(_methods(function), f"{route_prefix}/{route}", handler, access)


def presented_key(request: web.Request) -> str | None:
    """The key a request brings: the header wins over the query."""
    return request.headers.get("x-functions-key") or request.query.get("code")


def _access(function: HostedFunction) -> Access:
    level = str(function.trigger.attributes.get("authLevel", "FUNCTION")).lower()
    if level == "anonymous":
        return ANYONE
    if level == "admin":
        return MASTER_ONLY
    return Access(Level.FUNCTION, function.name)


def _methods(function: HostedFunction) -> frozenset[str] | None:
    declared = function.trigger.attributes.get("methods")
    return frozenset(str(method).upper() for method in declared) if declared else None


def _only_with_master_key(handler: Handler, keys: KeyRing) -> Handler:
    async def guarded(request: web.Request, values: RouteValues) -> web.StreamResponse:
        if not keys.is_master(presented_key(request)):
            return web.Response(status=404)
        return await handler(request, values)

    return guarded


def _handler(invoker: AppInvoker, function: HostedFunction) -> Handler:
    async def handle(request: web.Request, values: RouteValues) -> web.StreamResponse:
        datum = await _request_datum(request, values)
        try:
            reply = await invoker.run_trigger(function, datum)
        except FunctionFailedError as error:
            log.error("http function failed name=%s error=%s\n%s", function.name, error_type(error), error.stack)
            return web.Response(status=500)
        return _response(reply)

    return handle


async def _request_datum(request: web.Request, values: RouteValues) -> Datum:
    return Datum(
        {
            "method": _text(request.method),
            "url": _text(str(request.url)),
            "headers": _joined((name.lower(), value) for name, value in request.headers.items()),
            "query": _joined(request.query.items()),
            "params": {name: _text(value) for name, value in values.items()},
            "body": Datum(await request.read(), "bytes"),
        },
        "http",
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, Datum]:
    """A repeated header or parameter arrives as one text with commas, as .NET's StringValues prints it."""
    collected: dict[str, list[str]] = {}
    for name, value in pairs:
        collected.setdefault(name, []).append(value)
    return {name: _text(",".join(texts)) for name, texts in collected.items()}


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _response(reply: Datum | None) -> web.Response:
    if reply is None:  # an HTTP function always has a $return binding, whose value is encoded or refused before
        return web.Response(status=500)
    if reply.type == "string":
        return web.Response(text=reply.value)
    value: Mapping[str, Any] = reply.value
    headers = {name: item.value for name, item in value["headers"].items()}
    response = web.Response(status=int(value["status_code"].value), headers=headers, body=value["body"].value)
    for jar in value["cookies"] or ():
        for morsel in jar.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
