"""The Durable Task extension's HTTP API, served on two listeners.

The keyless one on its own loopback port is what the SDK's client calls (``rpcBaseUrl``); the other hangs below
``/runtime/webhooks/durabletask`` on the public port and needs the extension's key. Status codes and bodies follow the
extension's ``HttpApiHandler``.
"""

import base64
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from local_stack.functions_host.addresses import Addresses
from local_stack.functions_host.durable.interfaces import (
    TERMINAL_STATUSES,
    InstanceConflictError,
    InstanceGoneError,
    InstanceNotFoundError,
    InstanceStatus,
    InvalidInstanceIdError,
    UnknownFunctionError,
)
from local_stack.functions_host.durable.task_hub import TaskHub
from local_stack.functions_host.keys import ANYONE, Access
from local_stack.functions_host.routes.durable_views import status_body
from local_stack.functions_host.routing import Handler, RouteTable, RouteValues

log = logging.getLogger("functions_host.durable_api")

_NOT_SERVED: Final = "suspend, resume, rewind, restart, purge by filter and entities"
_STATUSES: Final = TERMINAL_STATUSES | {"Pending", "Running", "Suspended", "ContinuedAsNew"}
_UNSERVED_FILTERS: Final = frozenset({"instanceIdPrefix"})
_CONTINUATION: Final = "x-ms-continuation-token"


class DurableApi:
    """Handlers over a task hub."""

    def __init__(self, hub: TaskHub, addresses: Addresses) -> None:
        self._hub = hub
        self._addresses = addresses

    def add_to(self, table: RouteTable, prefix: str, access: Access = ANYONE) -> None:
        """Add the whole API below ``prefix``."""

        def add(method: str, path: str, handler: Handler) -> None:
            table.add(method, f"{prefix}/{path}", _answering_errors(handler), access)

        add("POST", "orchestrators/{functionName}/{instanceId?}", self.start)
        add("GET", "instances", self.list_instances)
        add("GET", "instances/{instanceId}", self.status)
        add("POST", "instances/{instanceId}/raiseEvent/{eventName}", self.raise_event)
        add("POST", "instances/{instanceId}/terminate", self.terminate)
        for operation in ("suspend", "resume", "rewind", "restart"):
            add("POST", f"instances/{{instanceId}}/{operation}", _not_served)
        add("DELETE", "instances", _not_served)
        add("DELETE", "instances/{instanceId}", self.purge)
        table.add(None, f"{prefix}/entities/{{*rest}}", _not_served, access)

    async def start(self, request: web.Request, values: RouteValues) -> web.Response:
        """Start an instance and answer 202 with all links.

        ``?timeout=`` is not waited for: 202 is then what the real extension answers once the time is over.
        """
        text = await request.text()
        if text and not _is_json(text):
            return _exception(400, "System.ArgumentException", "The request body is not valid JSON.")
        started = await self._hub.start_new(values["functionName"], values.get("instanceId"), text or None)
        log.info("orchestration started name=%s instance=%s", values["functionName"], started)
        links = self._addresses.management_links(started)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response(links, status=202, headers=headers)

    async def status(self, request: web.Request, values: RouteValues) -> web.Response:
        """One instance: 202 while it runs, 200 once it ended, 404 with an empty body when unknown."""
        query = request.query
        return await self._status_response(
            values["instanceId"],
            show_input=flag(query, "showInput", default=True),
            show_history=flag(query, "showHistory"),
            show_history_output=flag(query, "showHistoryOutput"),
            failed_is_500=flag(query, "returnInternalServerErrorOnFailure"),
        )

    async def list_instances(self, request: web.Request, _values: RouteValues) -> web.Response:
        """All instances, or those of some runtime statuses, or created between two moments; in pages when asked so."""
        if unserved := sorted(_UNSERVED_FILTERS & set(request.query)):
            return _refusal(f"the filters {', '.join(unserved)}")
        wanted = {name.strip() for name in request.query.get("runtimeStatus", "").split(",") if name.strip()}
        if unknown := sorted(wanted - _STATUSES):
            return _exception(400, "System.ArgumentException", f"unknown runtimeStatus {', '.join(unknown)}")
        try:
            start, end = (_moment(request.query.get(name)) for name in ("createdTimeFrom", "createdTimeTo"))
        except ValueError as error:
            return _exception(400, "System.ArgumentException", str(error))
        found = [
            item
            for item in await self._hub.instances()
            if (not wanted or item.runtime_status in wanted)
            and (start is None or item.created_at >= start)
            and (end is None or item.created_at <= end)
        ]
        found, following = _page(found, request.query.get("top"), request.headers.get(_CONTINUATION))
        headers = {_CONTINUATION: following} if following else {}
        return web.json_response([status_body(item) for item in found], headers=headers)

    async def purge(self, _request: web.Request, values: RouteValues) -> web.Response:
        """Remove an instance that has ended; the extension refuses, with the same answer as for none, one that runs."""
        if not await self._hub.purge(values["instanceId"]):
            return web.Response(status=404)
        return web.json_response({"instancesDeleted": 1})

    async def raise_event(self, request: web.Request, values: RouteValues) -> web.Response:
        """Hand an external event to an instance."""
        text = await request.text()
        if request.content_type != "application/json":
            return web.Response(status=400, text="Only application/json request content is supported")
        if text and not _is_json(text):
            return web.Response(status=400, text="Invalid JSON content")
        await self._hub.raise_event(values["instanceId"], values["eventName"], text or "null")
        return web.Response(status=202)

    async def terminate(self, request: web.Request, values: RouteValues) -> web.Response:
        """End an instance."""
        await self._hub.terminate(values["instanceId"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def _status_response(self, instance_id: str, *, failed_is_500: bool = False, **shown: bool) -> web.Response:
        status = await self._hub.get(instance_id, with_history=shown.get("show_history", False))
        body = status_body(status, **shown)
        if status.runtime_status not in TERMINAL_STATUSES:
            headers = {"Location": self._addresses.management_links(instance_id)["statusQueryGetUri"]}
            return web.json_response(body, status=202, headers={**headers, "Retry-After": "5"})
        failed = failed_is_500 and status.runtime_status == "Failed"
        return web.json_response(body, status=500 if failed else 200)


def _answering_errors(handler: Handler) -> Handler:
    async def handle(request: web.Request, values: RouteValues) -> web.StreamResponse:
        try:
            return await handler(request, values)
        except InstanceNotFoundError:
            # The SDK parses every body as JSON and takes an empty one for "no such instance".
            return web.Response(status=404)
        except InstanceGoneError:
            return web.Response(status=410)
        except (UnknownFunctionError, InvalidInstanceIdError) as error:
            return _exception(400, "System.ArgumentException", str(error))
        except InstanceConflictError as error:
            return _exception(500, "System.InvalidOperationException", str(error))

    return handle


def _page(found: list[InstanceStatus], top: str | None, after: str | None) -> tuple[list[InstanceStatus], str]:
    """The next ``top`` instances, and the token that asks for those after them; empty when there are none."""
    if not (top or "").isdecimal():
        return found, ""
    last = base64.urlsafe_b64decode(after.encode("ascii")).decode() if after else ""
    left = sorted((item for item in found if item.instance_id > last), key=lambda item: item.instance_id)
    page = left[: int(top or "0")]
    more = len(left) > len(page) > 0
    return page, base64.urlsafe_b64encode(page[-1].instance_id.encode()).decode("ascii") if more else ""


def _moment(text: str | None) -> datetime | None:
    """A moment of a filter, in UTC."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _exception(status: int, exception_type: str, text: str) -> web.Response:
    summary = "One or more of the arguments submitted is incorrect" if status == 400 else "Something went wrong"
    body = {"Message": summary, "ExceptionMessage": text, "ExceptionType": exception_type, "StackTrace": ""}
    return web.json_response(body, status=status)


async def _not_served(_request: web.Request, _values: RouteValues) -> web.Response:
    return _refusal(_NOT_SERVED)


def _refusal(what: str) -> web.Response:
    return web.json_response({"Message": f"this local host does not serve {what}"}, status=501)


def flag(query: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """A boolean as .NET reads it: any case, anything unreadable is the default."""
    return {"true": True, "false": False}.get(query.get(name, "").lower(), default)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return False
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
