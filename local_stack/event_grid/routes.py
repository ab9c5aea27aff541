"""The HTTP side: topics, where events are published, and the control API, where subscriptions are made."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from local_stack.event_grid import access, handshake
from local_stack.event_grid.delivery import Couriers
from local_stack.event_grid.events import MOST_BYTES, InvalidEventError, published
from local_stack.event_grid.grid import Grid
from local_stack.event_grid.models import ConfigError, check, subscription_from
from local_stack.identity.tokens import Issuer

log = logging.getLogger("event_grid")

CONTROL_HEADER: Final = "x-control-key"
_CODES: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "PayloadTooLarge",
}
_API_VERSION: Final = "api-version"
_API_VERSIONS: Final = frozenset({"2018-01-01"})  # of publishing; what the vendor's clients send
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedError(Exception):
    """A request that is not done."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def response(self) -> web.Response:
        """The answer in the service's form."""
        text = {"code": _CODES.get(self.status, str(self.status)), "message": str(self)}
        return web.json_response({"error": {**text, "details": [text]}}, status=self.status)


def application(
    grid: Grid, couriers: Couriers, *, base_url: str, control_key: str, issuer: Issuer | None = None
) -> web.Application:
    """The whole HTTP surface."""
    publishing, control = _Publishing(grid, base_url, issuer), _Control(grid, couriers, control_key)
    app = web.Application(middlewares=[_answer_errors], client_max_size=MOST_BYTES)
    app.add_routes(
        [
            web.post("/topics/{name}/api/events", publishing.publish),
            web.get("/control/stats", control.guarded(control.stats)),
            web.get("/control/subscriptions", control.guarded(control.subscriptions)),
            web.put("/control/subscriptions/{name}", control.guarded(control.put)),
            web.delete("/control/subscriptions/{name}", control.guarded(control.delete)),
        ]
    )
    return app


def endpoint_of(base_url: str, topic: str) -> str:
    """Where a topic's events are published."""
    return f"{base_url}/topics/{topic}/api/events"


class _Publishing:
    def __init__(self, grid: Grid, base_url: str, issuer: Issuer | None) -> None:
        self._grid, self._base_url, self._issuer = grid, base_url, issuer

    async def publish(self, request: web.Request) -> web.Response:
        """Take events; when this answers 200 they are durably queued."""
        topic = self._grid.topics.get(request.match_info["name"])
        if topic is None:
            raise RefusedError(404, "there is no such topic")
        key, endpoint = self._grid.topic_key(topic.name), endpoint_of(self._base_url, topic.name)
        now, issuer = self._grid.clock(), self._issuer
        if not access.may_publish(request.headers, key=key, endpoint=endpoint, now=now, issuer=issuer):
            raise RefusedError(401, f"the request is not authorized for topic {topic.name}")
        if request.query.get(_API_VERSION) not in _API_VERSIONS:
            known = ", ".join(sorted(_API_VERSIONS))
            raise RefusedError(400, f"the query parameter {_API_VERSION} is missing or unknown; known: {known}")
        try:
            events = published(request.content_type, await request.read(), topic)
        except InvalidEventError as error:
            raise RefusedError(400, str(error)) from None
        self._grid.publish(topic.name, events)
        return web.Response(status=200)


class _Control:
    def __init__(self, grid: Grid, couriers: Couriers, key: str) -> None:
        self._grid, self._couriers, self._key = grid, couriers, key

    def guarded(self, handler: _Handler) -> _Handler:
        """Only with the control key."""

        async def check_key(request: web.Request) -> web.StreamResponse:
            if not access.same(request.headers.get(CONTROL_HEADER, ""), self._key):
                raise RefusedError(401, f"{CONTROL_HEADER} is missing or wrong")
            return await handler(request)

        return check_key

    async def stats(self, _request: web.Request) -> web.Response:
        """What became of every subscription's events."""
        return web.json_response({"subscriptions": self._grid.stats()})

    async def subscriptions(self, _request: web.Request) -> web.Response:
        """Every subscription without what is secret, and whether its endpoint has agreed."""
        grid = self._grid
        known = [{**each.public(), "agreed": name in grid.agreed} for name, each in sorted(grid.subscriptions.items())]
        return web.json_response({"subscriptions": known})

    async def put(self, request: web.Request) -> web.Response:
        """Make or replace a subscription, once its endpoint has agreed; 400 and nothing changed when it has not."""
        name = request.match_info["name"]
        try:
            subscription = subscription_from(name, json.loads(await request.read()))
            check(subscription, self._grid.topics)
            source = self._grid.topics[subscription.topic].source
            await handshake.ask(self._couriers.session, subscription, source)
        except ConfigError as error:
            raise RefusedError(400, str(error)) from None
        except handshake.NotAgreedError as error:
            raise RefusedError(400, f"the endpoint did not pass validation: {error}") from None
        except ValueError:
            raise RefusedError(400, "the body is not JSON") from None
        existed = name in self._grid.subscriptions
        await self._couriers.recall(name)
        self._grid.put(subscription, agreed=True)
        self._couriers.send(name)
        return web.json_response(subscription.public(), status=200 if existed else 201)

    async def delete(self, request: web.Request) -> web.Response:
        """Forget a subscription and what was on its way to it."""
        name = request.match_info["name"]
        if name not in self._grid.subscriptions:
            raise RefusedError(404, "there is no such subscription")
        await self._couriers.recall(name)
        self._grid.remove(name)
        return web.Response(status=204)


@web.middleware
async def _answer_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as error:
        refused = error
    except web.HTTPRequestEntityTooLarge:
        refused = RefusedError(413, f"the request is larger than {MOST_BYTES} bytes")
    except web.HTTPException as error:
        refused = RefusedError(error.status, error.reason)
    # The path only: queries and headers carry keys.
    log.warning("refused %s %r status=%d reason=%s", request.method, request.path, refused.status, refused)
    return refused.response()
