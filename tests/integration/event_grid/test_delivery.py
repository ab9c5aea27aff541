"""What endpoints get, how often, and when."""

import itertools
from typing import Any

import pytest

from tests.integration.event_grid.stand_in import (
    CLOUD_TOPIC,
    EVENTS_TOPIC,
    Receiver,
    StandIn,
    a_cloud_event,
    an_event,
    receiving,
)

CLOUD_SCHEMA = "CloudEventSchemaV1_0"
MOST_JITTER = 1.1
SLACK = 1.5  # seconds that a busy machine may add


def test_the_event_grid_schema_as_it_is_delivered(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url)
    sent = an_event()

    grid.publish(EVENTS_TOPIC, sent)

    (received,) = endpoint.wait_for(1)
    assert isinstance(received.body, list)
    assert received.event == {
        "id": sent.id,
        "subject": sent.subject,
        "data": {"size": 3},
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": received.event["eventTime"],
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "topic": received.event["topic"],
    }
    assert received.event["topic"].endswith("/topics/arrivals")
    headers = {key.lower(): value for key, value in received.headers.items()}
    assert headers["aeg-subscription-name"] == name.upper()
    assert headers["aeg-delivery-count"] == "0"
    assert headers["aeg-metadata-version"] == "1"
    assert headers["aeg-data-version"] == "1.0"
    assert len(headers["aeg-output-event-id"]) == 36
    assert headers["content-type"] == "application/json; charset=utf-8"


def test_cloud_events_come_one_by_one_as_they_were_published(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url, CLOUD_TOPIC, eventDeliverySchema=CLOUD_SCHEMA)
    sent = a_cloud_event(subject="runs/7", extensions={"traceparent": "00-x"})

    grid.publish(CLOUD_TOPIC, sent)

    (received,) = endpoint.wait_for(1)
    assert isinstance(received.body, dict)
    assert received.event["id"] == sent.id
    assert received.event["traceparent"] == "00-x"
    headers = {key.lower(): value for key, value in received.headers.items()}
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["aeg-metadata-version"] == "1.0"
    assert "aeg-data-version" not in headers


def test_the_event_grid_schema_is_turned_into_cloud_events(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url, eventDeliverySchema=CLOUD_SCHEMA)
    sent = an_event(data_version="2")

    grid.publish(EVENTS_TOPIC, sent)

    (received,) = endpoint.wait_for(1)
    assert received.event == {
        "specversion": "1.0",
        "id": sent.id,
        "source": received.event["source"],
        "subject": sent.subject,
        "type": sent.event_type,
        "time": received.event["time"],
        "dataschema": "#2",
        "data": {"size": 3},
    }
    assert received.event["source"].endswith("/topics/arrivals")


def test_filters_choose_by_type_and_subject(grid: StandIn, endpoint: Receiver, name: str) -> None:
    only = {
        "includedEventTypes": ["Microsoft.Storage.BlobCreated"],
        "subjectBeginsWith": "/blobServices/default/containers/RAW/",
        "subjectEndsWith": ".csv",
    }
    grid.subscribe(name, endpoint.url, filter=only)
    base = "/blobServices/default/containers"

    grid.publish(
        EVENTS_TOPIC,
        an_event(id="wanted", subject=f"{base}/raw/blobs/a.CSV"),
        an_event(id="other end", subject=f"{base}/raw/blobs/a.json"),
        an_event(id="other container", subject=f"{base}/other/blobs/a.csv"),
        an_event(id="other type", subject=f"{base}/raw/blobs/a.csv", event_type="Microsoft.Storage.BlobDeleted"),
    )

    assert grid.final_counts(name)["matched"] == 1
    assert endpoint.ids == ["wanted"]


def gaps(endpoint: Receiver) -> list[float]:
    return [after.at - before.at for before, after in itertools.pairwise(endpoint.notifications)]


def test_failures_are_tried_again_on_the_services_schedule(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url)
    endpoint.answers.extend([500, 404, 302])

    grid.publish(EVENTS_TOPIC, an_event())

    received = endpoint.wait_for(4)
    for waited, scheduled in zip(gaps(endpoint), (0.1, 0.3, 0.6), strict=True):
        assert scheduled <= waited < scheduled * MOST_JITTER + SLACK
    assert [one.headers["aeg-delivery-count"] for one in received] == ["0", "1", "2", "3"]
    assert len({one.headers["aeg-output-event-id"] for one in received}) == 1
    assert {"attempts": 4, "delivered": 1, "dropped": 0}.items() <= grid.final_counts(name).items()


@pytest.mark.parametrize(("status", "least"), [(503, 0.3), (408, 1.2)])
def test_some_answers_ask_for_more_patience(
    grid: StandIn, endpoint: Receiver, name: str, status: int, least: float
) -> None:
    grid.subscribe(name, endpoint.url)
    endpoint.answers.append(status)

    grid.publish(EVENTS_TOPIC, an_event())

    endpoint.wait_for(2)
    assert least <= gaps(endpoint)[0] < least * MOST_JITTER + SLACK


def test_silence_is_a_failure(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url, answerWithin=0.2)
    endpoint.hold = 0.5

    grid.publish(EVENTS_TOPIC, an_event())

    endpoint.wait_for(2)
    endpoint.hold = 0
    assert grid.final_counts(name)["delivered"] == 1


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
def test_only_these_answers_are_success(grid: StandIn, endpoint: Receiver, name: str, status: int) -> None:
    grid.subscribe(name, endpoint.url)
    endpoint.answers.append(status)
    endpoint.status = 500

    grid.publish(EVENTS_TOPIC, an_event())

    assert {"attempts": 1, "delivered": 1}.items() <= grid.final_counts(name).items()


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_some_answers_are_final(grid: StandIn, endpoint: Receiver, name: str, status: int) -> None:
    grid.subscribe(name, endpoint.url)
    endpoint.status = status

    grid.publish(EVENTS_TOPIC, an_event())

    assert {"attempts": 1, "delivered": 0, "dropped": 1}.items() <= grid.final_counts(name).items()


def test_attempts_end_and_the_others_go_on(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url, retryPolicy={"maxDeliveryAttempts": 3, "scale": 0.001})
    endpoint.answers.extend([500, 500, 500])

    grid.publish(EVENTS_TOPIC, an_event())
    assert {"attempts": 3, "dropped": 1}.items() <= grid.final_counts(name).items()

    grid.publish(EVENTS_TOPIC, an_event(id="next"))
    assert {"delivered": 1}.items() <= grid.final_counts(name).items()


def test_events_do_not_live_for_ever(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url, retryPolicy={"eventTimeToLiveInMinutes": 1})  # 0.6 s at this scale
    endpoint.status = 500

    grid.publish(EVENTS_TOPIC, an_event())

    found = grid.final_counts(name)
    assert found["dropped"] == 1
    # At 0, 0.1 and 0.4 s, and the next would be too late; a slow machine may not come to the third in time.
    assert 1 <= found["attempts"] <= 3


def test_a_subscription_has_so_many_requests_under_way_and_no_more(
    grid: StandIn, endpoint: Receiver, name: str
) -> None:
    grid.subscribe(name, endpoint.url, concurrency=3)
    endpoint.hold = 0.1

    grid.publish(EVENTS_TOPIC, *(an_event() for _ in range(12)))

    assert grid.final_counts(name)["delivered"] == 12
    assert endpoint.most_at_once == 3


def test_a_slow_endpoint_delays_nobody_else(grid: StandIn, endpoint: Receiver, name: str) -> None:
    slow = f"{name}-slow"
    with receiving() as late:
        late.hold = 2
        grid.subscribe(slow, late.url, concurrency=1)
        grid.subscribe(name, endpoint.url)
        grid.publish(EVENTS_TOPIC, *(an_event() for _ in range(5)))

        endpoint.wait_for(5)

        assert grid.stats(slow)["delivered"] == 0
        assert grid.control("DELETE", f"subscriptions/{slow}").status_code == 204


CHAOS: list[tuple[dict[str, Any], dict[str, int]]] = [
    ({"duplicates": 2}, {"matched": 20, "delivered": 60, "lost": 0}),
    ({"drop": 1}, {"matched": 20, "delivered": 0, "lost": 20}),
    ({"seed": 7, "drop": 0.3, "duplicates": 1}, {"matched": 20, "delivered": 26, "lost": 7}),
]


@pytest.mark.parametrize(("chaos", "expected"), CHAOS)
def test_chaos_repeats_and_loses(
    grid: StandIn, endpoint: Receiver, chaos: dict[str, Any], expected: dict[str, int]
) -> None:
    name = f"chaos-{expected['delivered']}"
    grid.subscribe(name, endpoint.url, chaos=chaos)
    sent = [an_event() for _ in range(20)]

    grid.publish(EVENTS_TOPIC, *sent)

    assert expected.items() <= grid.final_counts(name).items()
    counts = {event.id: endpoint.ids.count(event.id) for event in sent}
    assert set(counts.values()) <= {0, 1 + chaos.get("duplicates", 0)}
    grid.control("DELETE", f"subscriptions/{name}")


def test_chaos_delays_and_shuffles(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url, chaos={"seed": 1, "delay": 0.5, "shuffle": 0.5}, concurrency=1)
    sent = [an_event(id=f"{number:02}") for number in range(20)]

    grid.publish(EVENTS_TOPIC, *sent)
    at = endpoint.seen[0].at  # the handshake, before the publishing

    assert grid.final_counts(name)["delivered"] == 20
    assert endpoint.notifications[0].at - at >= 0.5
    assert sorted(endpoint.ids) == [event.id for event in sent] != endpoint.ids
