"""A site's agent: it reports blobs that were written to Event Grid, because an Azure Stack Hub raises no events itself.

With the vendor's publisher; and with the local stand-in's control API, through which deliveries are made to go wrong.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import requests
from azure.core.credentials import AzureKeyCredential
from azure.eventgrid import EventGridPublisherClient

from local_stack.app_client import Endpoints, Landed, blob_created, deadline
from local_stack.supervisor.event_grid import ARRIVALS, SUBSCRIPTION, data_arrival, webhook

_MOST_IN_A_REQUEST: Final = 200  # some 150 kB; the service takes 1 MiB


class SiteAgent:
    """Publishes on the topic that the app is subscribed to."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        grid = endpoints["event_grid"]
        topic = grid["topics"][ARRIVALS]
        self._publisher = EventGridPublisherClient(topic["endpoint"], AzureKeyCredential(topic["key"]))
        self._control: str = grid["control_url"]
        self._session = requests.Session()
        self._session.headers["x-control-key"] = grid["control_key"]

    def close(self) -> None:
        """Give the connections back."""
        self._publisher.close()
        self._session.close()

    def publish_written(self, blobs: Iterable[Landed]) -> None:
        """Publish that the blobs were written."""
        self.publish([blob_created(self._endpoints, blob) for blob in blobs])

    def publish(self, events: list[dict[str, Any]]) -> None:
        """Publish events in the Event Grid schema."""
        for start in range(0, len(events), _MOST_IN_A_REQUEST):
            self._publisher.send(events[start : start + _MOST_IN_A_REQUEST])

    def subscribe(self, *, retry_scale: float | None = None, **chaos: float) -> None:
        """Make the app's subscription, or make it anew: the webhook is asked whether it agrees, as at the first time.

        ``chaos`` is what goes wrong on purpose with what is published from now on: drop, duplicates, delay, shuffle,
        seed (see the stand-in's README). ``retry_scale``: the service's waits before it delivers again, times this; by
        default the stack's. Raises ``requests.HTTPError`` when the app does not agree.
        """
        host = self._endpoints["functions_host"]
        definition = data_arrival(webhook(host["url"], host["event_grid_key"]), chaos)
        if retry_scale is not None:
            definition["retryPolicy"] = {"scale": retry_scale}
        self.control("PUT", f"subscriptions/{SUBSCRIPTION}", definition)

    def deliveries(self, subscription: str = SUBSCRIPTION) -> dict[str, Any]:
        """What became of the events that a subscription matched, since it was first made."""
        counters: dict[str, Any] = self.control("GET", "stats").json()["subscriptions"][subscription]
        return counters

    def wait_until_delivered(self, subscription: str = SUBSCRIPTION, *, seconds: float = 300) -> dict[str, Any]:
        """The counters once nothing is on its way any more; raises ``TimeoutError``."""
        for _ in deadline(seconds, f"the delivery of all events of {subscription}"):
            counters = self.deliveries(subscription)
            if not counters["pending"]:
                return counters
        raise AssertionError  # deadline() raises first

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        """Ask something of the stand-in's control API; raises ``requests.HTTPError`` with the answer's text."""
        answer = self._session.request(method, f"{self._control}/{path}", json=body, timeout=60)
        if not answer.ok:
            raise requests.HTTPError(f"{answer.status_code}: {answer.text}", response=answer)
        return answer


@contextmanager
def site_agent(endpoints: Endpoints) -> Iterator[SiteAgent]:
    """A :class:`SiteAgent` that is closed at the end."""
    agent = SiteAgent(endpoints)
    try:
        yield agent
    finally:
        agent.close()
