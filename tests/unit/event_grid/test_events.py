import json
import string
from typing import Any

import pytest
from azure.core.messaging import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from local_stack.event_grid import events
from local_stack.event_grid.events import Event, InvalidEventError, delivery_headers, in_schema, published
from local_stack.event_grid.models import Schema, Topic

TOPIC = Topic(name="topic", resource_id="/subscriptions/s/topics/topic")
CLOUD_TOPIC = Topic(name="cloud", input_schema=Schema.CLOUD_EVENTS)

texts = st.text(min_size=1, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
times = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
event_grid_events = st.fixed_dictionaries(
    {
        "id": texts,
        "subject": texts,
        "eventType": texts,
        "eventTime": times,
        "data": json_values,
        "dataVersion": st.text(max_size=5),
    },
    optional={"metadataVersion": st.just("1"), "topic": st.just(TOPIC.source)},
)
cloud_events = st.fixed_dictionaries(
    {"id": texts, "source": texts, "type": texts, "specversion": st.just("1.0")},
    optional={"subject": texts, "time": times, "data": json_values, "datacontenttype": st.just("application/json")},
).flatmap(
    lambda event: st.dictionaries(st.text(string.ascii_lowercase, min_size=12, max_size=14), texts, max_size=2).map(
        lambda extensions: {**extensions, **event}
    )
)


def publish(bodies: Any, topic: Topic = TOPIC) -> list[Event]:
    kind = "application/json" if topic is TOPIC else "application/cloudevents-batch+json"
    return published(kind, json.dumps(bodies).encode(), topic)


@given(st.lists(event_grid_events, min_size=1, max_size=3))
def test_an_event_keeps_what_it_was_published_with(bodies: list[dict[str, Any]]) -> None:
    taken = publish(bodies)

    assert len(taken) == len(bodies)
    for event, body in zip(taken, bodies, strict=True):
        assert in_schema(event, Schema.EVENT_GRID).items() >= body.items()
        assert (event.body["topic"], event.body["metadataVersion"]) == (TOPIC.source, "1")
        assert (event.type, event.subject) == (body["eventType"], body["subject"])


@given(event_grid_events)
def test_its_translation_is_a_cloud_event_with_the_same_content(body: dict[str, Any]) -> None:
    (event,) = publish([body])

    translated = in_schema(event, Schema.CLOUD_EVENTS)

    assert publish([translated], CLOUD_TOPIC)[0].body == translated
    assert translated["id"] == body["id"]
    assert translated["type"] == body["eventType"]
    assert translated["subject"] == body["subject"]
    assert translated["time"] == body["eventTime"]
    assert translated["source"] == TOPIC.source
    assert translated["data"] == body["data"]
    assert "topic" not in translated


def test_the_vendors_class_reads_the_translation() -> None:
    body: dict[str, Any] = {"id": "1", "subject": "s", "eventType": "t", "eventTime": "2026-01-02T03:04:05Z"}
    body |= {"data": {"a": 1}, "dataVersion": ""}
    (event,) = publish([body])

    read: CloudEvent[Any] = CloudEvent.from_dict(in_schema(event, Schema.CLOUD_EVENTS))

    assert (read.id, read.type, read.subject, read.data, read.source) == ("1", "t", "s", {"a": 1}, TOPIC.source)


@given(cloud_events)
def test_cloud_events_stay_as_they_are(body: dict[str, Any]) -> None:
    (event,) = publish([body], CLOUD_TOPIC)

    assert in_schema(event, Schema.CLOUD_EVENTS) == body
    with pytest.raises(ValueError, match="not translated"):
        in_schema(event, Schema.EVENT_GRID)


@given(
    st.binary(max_size=50) | json_values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([TOPIC, CLOUD_TOPIC]),
)
def test_whatever_is_no_event_is_refused_with_a_reason(content: bytes, topic: Topic) -> None:
    for kind in (
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "text/plain",
    ):
        with pytest.raises(InvalidEventError, match=r"."):
            published(kind, content, topic)


@given(event_grid_events, st.sampled_from(Schema), st.integers(0, 30))
def test_headers_can_always_be_sent(body: dict[str, Any], schema: Schema, failed: int) -> None:
    (event,) = publish([body])

    headers = delivery_headers(
        in_schema(event, schema),
        schema,
        subscription="my-sub",
        kind="Notification",
        failed_attempts=failed,
        output_id="x",
    )

    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert headers["aeg-subscription-name"] == "MY-SUB"
    assert headers["aeg-delivery-count"] == str(failed)
    assert ("aeg-data-version" in headers) <= (schema is Schema.EVENT_GRID)


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b'"text"', b"\xff", b"{"])
def test_an_answer_that_is_no_object_is_an_empty_one(content: bytes) -> None:
    assert events.json_object(content) == {}
