"""The stand-in as a process, its clients, and an endpoint that records what it is sent."""

import asyncio
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from aiohttp import web
from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from tests.support.service_process import RestartableService, eventually

EVENTS_TOPIC = "arrivals"
CLOUD_TOPIC = "announcements"
TOPICS = [{"name": EVENTS_TOPIC}, {"name": CLOUD_TOPIC, "inputSchema": "CloudEventSchemaV1_0"}]


@dataclass
class StandIn(RestartableService):
    """``python -m local_stack.event_grid`` on one state folder; may be killed and started again."""

    config: dict[str, Any] = field(default_factory=lambda: {"topics": TOPICS})
    scale: float = 0.01

    def start(self) -> None:
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.config))
        self.launch("local_stack.event_grid", "--config", str(config), "--retry-scale", str(self.scale))

    def publisher(self, topic: str, credential: Any = None) -> EventGridPublisherClient:
        given = self.endpoints["topics"][topic]
        return EventGridPublisherClient(given["endpoint"], credential or AzureKeyCredential(given["key"]))

    def publish(self, topic: str, *events: EventGridEvent | CloudEvent[Any]) -> None:
        with self.publisher(topic) as publisher:
            publisher.send(list(events))

    def control(self, method: str, path: str, *, key: str | None = None, **how: Any) -> requests.Response:
        headers = {"x-control-key": self.endpoints["control_key"] if key is None else key}
        return requests.request(method, f"{self.endpoints['control_url']}/{path}", headers=headers, timeout=60, **how)

    def subscribe(self, name: str, endpoint: str, topic: str = EVENTS_TOPIC, **how: Any) -> None:
        answer = self.control("PUT", f"subscriptions/{name}", json={"topic": topic, "endpoint": endpoint, **how})
        assert answer.status_code in (200, 201), answer.text

    def stats(self, name: str) -> dict[str, Any]:
        answer = self.control("GET", "stats")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["subscriptions"][name]
        return found

    def final_counts(self, name: str) -> dict[str, Any]:
        """The counters once nothing is on its way any more."""
        eventually(lambda: not self.stats(name)["pending"])
        return self.stats(name)


@contextmanager
def running(folder: Path, **how: Any) -> Iterator[StandIn]:
    """A stand-in that has ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    stand_in = StandIn(folder, **how)
    stand_in.start()
    try:
        yield stand_in
    finally:
        if stand_in.process is not None and stand_in.process.poll() is None:
            stand_in.stop()


@dataclass(frozen=True)
class Received:
    """One request as the endpoint saw it."""

    at: float
    method: str
    kind: str
    headers: Mapping[str, str]
    body: Any

    @property
    def event(self) -> dict[str, Any]:
        """The one event in it."""
        events = self.body if isinstance(self.body, list) else [self.body]
        assert len(events) == 1
        found: dict[str, Any] = events[0]
        return found


class Receiver:
    """An endpoint that agrees to everything, until told otherwise, and notes every request."""

    def __init__(self) -> None:
        self.seen: list[Received] = []
        self.answers: deque[int] = deque()
        """Statuses for the next notifications; ``status`` when it is empty."""
        self.status = 200
        self.hold: float = 0
        """Seconds to take for each notification, at least: not all take the same time."""
        self.agrees = True
        self.handshake_status = 200
        self.most_at_once = 0
        self._at_once = 0
        self.url = ""

    @property
    def notifications(self) -> list[Received]:
        return [one for one in list(self.seen) if one.kind == "Notification"]

    @property
    def ids(self) -> list[str]:
        return [one.event["id"] for one in self.notifications]

    def wait_for(self, count: int) -> list[Received]:
        eventually(lambda: len(self.notifications) >= count)
        return self.notifications

    async def handle(self, request: web.Request) -> web.Response:
        content = await request.read()
        kind = request.headers.get("aeg-event-type", "")
        body = json.loads(content) if content else None
        self.seen.append(Received(time.monotonic(), request.method, kind, dict(request.headers), body))
        if request.method == "OPTIONS":
            headers = {"WebHook-Allowed-Origin": request.headers["WebHook-Request-Origin"]} if self.agrees else {}
            return web.Response(status=self.handshake_status, headers=headers)
        if kind == "SubscriptionValidation" and body:
            code = body[0]["data"]["validationCode"] if self.agrees else "something else"
            return web.json_response({"validationResponse": code}, status=self.handshake_status)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(self.hold * (1 + len(self.seen) % 3 / 2))
        self._at_once -= 1
        return web.Response(status=self.answers.popleft() if self.answers else self.status)


@contextmanager
def receiving(port: int = 0, path: str = "/hook") -> Iterator[Receiver]:
    """A receiver on a loopback port, in a thread of its own."""
    receiver, ready = Receiver(), threading.Event()
    stops: list[Callable[[], object]] = []

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        app = web.Application()
        app.router.add_route("*", path, receiver.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}?code=endpoint-secret"
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield receiver
    finally:
        stops[0]()
        thread.join(timeout=10)
        assert not thread.is_alive()


def an_event(**given: Any) -> EventGridEvent:
    fields: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "subject": "/blobServices/default/containers/raw/blobs/a.csv",
        "event_type": "Microsoft.Storage.BlobCreated",
        "data": {"size": 3},
        "data_version": "1.0",
    }
    return EventGridEvent(**{**fields, **given})


def a_cloud_event(**given: Any) -> CloudEvent[Any]:
    return CloudEvent(**{"source": "/edgetrain", "type": "edgetrain.run.accepted", "data": {"n": 1}, **given})
