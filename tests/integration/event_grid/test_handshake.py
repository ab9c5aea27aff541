"""No event before the endpoint has agreed."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.event_grid.stand_in import (
    CLOUD_TOPIC,
    EVENTS_TOPIC,
    TOPICS,
    Receiver,
    StandIn,
    a_cloud_event,
    an_event,
    receiving,
    running,
)
from tests.support.service_process import eventually

CLOUD_SCHEMA = "CloudEventSchemaV1_0"


def test_the_event_grid_schema_asks_by_an_event_in_an_array(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url)

    (asked,) = endpoint.seen
    assert (asked.method, asked.kind) == ("POST", "SubscriptionValidation")
    assert isinstance(asked.body, list)
    assert asked.event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert asked.event["topic"].endswith("/providers/Microsoft.EventGrid/topics/arrivals")
    assert set(asked.event["data"]) == {"validationCode"}


def test_cloud_events_ask_by_options(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url, CLOUD_TOPIC, eventDeliverySchema=CLOUD_SCHEMA)

    (asked,) = endpoint.seen
    assert asked.method == "OPTIONS"
    assert asked.headers["WebHook-Request-Origin"] == "eventgrid.azure.net"


@pytest.mark.parametrize("schema", ["EventGridSchema", CLOUD_SCHEMA])
@pytest.mark.parametrize("how", ["without the code", "with 202", "with 404"])
def test_who_does_not_agree_gets_no_subscription(
    grid: StandIn, endpoint: Receiver, name: str, schema: str, how: str
) -> None:
    endpoint.agrees = how != "without the code"
    endpoint.handshake_status = {"with 202": 202, "with 404": 404}.get(how, 200)
    definition = {"topic": EVENTS_TOPIC, "endpoint": endpoint.url, "eventDeliverySchema": schema}

    answer = grid.control("PUT", f"subscriptions/{name}", json=definition)

    assert answer.status_code == 400
    assert "validation" in answer.json()["error"]["message"]
    assert name not in grid.control("GET", "stats").json()["subscriptions"]
    assert "endpoint-secret" not in answer.text


def test_a_refused_change_leaves_the_subscription_as_it_was(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url)
    other = {"topic": EVENTS_TOPIC, "endpoint": "http://127.0.0.1:9/nobody"}

    assert grid.control("PUT", f"subscriptions/{name}", json=other).status_code == 400

    grid.publish(EVENTS_TOPIC, an_event())
    endpoint.wait_for(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": "nobody"},
        {"endpoint": "ftp://somewhere/endpoint-secret"},
        {"endpoint": 7},
        {"topic": CLOUD_TOPIC},  # the service never turns CloudEvents into its own schema
        {"retryPolicy": {"maxDeliveryAttempts": 31}},
        {"filter": {"advancedFilters": []}},
        {"chaos": {"drop": 2}},
        {"advanced": True},
    ],
)
def test_a_definition_that_cannot_be_is_refused(grid: StandIn, endpoint: Receiver, name: str, wrong: Any) -> None:
    definition = {"topic": EVENTS_TOPIC, "endpoint": endpoint.url, **wrong}

    answer = grid.control("PUT", f"subscriptions/{name}", json=definition)

    assert answer.status_code == 400
    assert "secret" not in answer.text
    assert not endpoint.seen


def test_what_is_no_definition_at_all_is_refused(grid: StandIn, name: str) -> None:
    for body in (b"", b"{", b"[]", b"7"):
        assert grid.control("PUT", f"subscriptions/{name}", data=body).status_code == 400
    assert grid.control("PUT", "subscriptions/a b", json={}).status_code == 400
    assert grid.control("DELETE", f"subscriptions/{name}").status_code == 404


def test_events_of_a_configured_subscription_wait_for_its_endpoint(tmp_path: Path) -> None:
    with receiving() as first:
        port = int(first.url.split(":")[2].split("/")[0])
    both = [
        {"name": "by-event", "topic": EVENTS_TOPIC, "endpoint": first.url},
        {"name": "by-options", "topic": CLOUD_TOPIC, "endpoint": first.url, "eventDeliverySchema": CLOUD_SCHEMA},
    ]
    with running(tmp_path, config={"topics": TOPICS, "subscriptions": both}) as grid:
        grid.publish(EVENTS_TOPIC, an_event(id="early"))
        grid.publish(CLOUD_TOPIC, a_cloud_event(id="early-too"))
        eventually(lambda: grid.log.count("has not agreed") >= 2)
        assert not grid.stats("by-event")["agreed"]

        with receiving(port) as endpoint:
            endpoint.wait_for(2)
            assert sorted(endpoint.ids) == ["early", "early-too"]
            assert {one.method for one in endpoint.seen[:2]} | {"POST"} == {"OPTIONS", "POST"}

            # Who agreed once need not agree again when the stand-in starts anew.
            grid.stop()
            asked = len(endpoint.seen)
            grid.start()
            grid.publish(EVENTS_TOPIC, an_event(id="later"))
            endpoint.wait_for(3)
            assert len(endpoint.seen) == asked + 1
