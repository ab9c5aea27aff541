"""Our announcements through the vendor's client, as a subscriber sees them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.core.messaging import CloudEvent
from pydantic import SecretStr

from shared import settings
from shared.clients.announcements import RunEventPublisher
from shared.errors import Code, PermanentError, TransientError
from shared.messages import RunEvent, RunEventKind
from shared.values.wire import from_wire
from shared.wire_contracts.run_events import RunEventData
from tests.integration.event_grid.stand_in import CLOUD_TOPIC, EVENTS_TOPIC, Receiver, StandIn, running
from tests.support.answering import PAGE, Reply, answering
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

RECORD = a_run_record(reason="the champion stays: ±0,5 %", metrics={"accuracy": 0.91})
NO_TOPIC = "there is no Event Grid topic at EDGETRAIN_ANNOUNCEMENTS__ENDPOINT"
EVENT = RunEvent(kind=RunEventKind.NOT_PROMOTED, occurred_at=START, record=RECORD)


@contextmanager
def announcing(endpoint: str, key: str = "key") -> Iterator[RunEventPublisher]:
    client = RunEventPublisher(settings.Announcements(endpoint=endpoint, key=SecretStr(key)))
    yield client
    client.close()


@pytest.fixture
def announcements(grid: StandIn) -> Iterator[RunEventPublisher]:
    topic = grid.endpoints["topics"][CLOUD_TOPIC]
    with announcing(topic["endpoint"], topic["key"]) as client:
        yield client


def test_a_subscriber_gets_a_cloud_event_with_the_run_as_it_was(
    grid: StandIn,
    endpoint: Receiver,
    name: str,
    announcements: RunEventPublisher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    grid.subscribe(name, endpoint.url, CLOUD_TOPIC, eventDeliverySchema="CloudEventSchemaV1_0")

    announcements.publish(EVENT)

    assert caplog.text == "", "nothing to warn of"
    received: CloudEvent[Any] = CloudEvent.from_dict(endpoint.wait_for(1)[0].event)
    assert received.id == f"{RECORD.run_id}-not_promoted"
    assert (received.specversion, received.type) == ("1.0", "io.edgetrain.run.not_promoted")
    assert (received.source, received.subject) == ("/edgetrain/pipelines/breast-cancer", f"runs/{RECORD.run_id}")
    assert (received.time, received.datacontenttype) == (START, "application/json")
    assert received.dataschema == "urn:edgetrain:schema:run-event:1"
    data = from_wire(RunEventData, received.data)
    assert (data.run_id, data.reason, data.metrics) == (RECORD.run_id, RECORD.reason, RECORD.metrics)


def test_every_moment_is_taken_and_a_repeat_has_the_same_id(
    grid: StandIn, endpoint: Receiver, name: str, announcements: RunEventPublisher
) -> None:
    grid.subscribe(name, endpoint.url, CLOUD_TOPIC, eventDeliverySchema="CloudEventSchemaV1_0")

    for kind in (*RunEventKind, RunEventKind.DEPLOYED):
        announcements.publish(RunEvent(kind=kind, occurred_at=START, record=RECORD))

    endpoint.wait_for(len(RunEventKind) + 1)
    assert sorted(endpoint.ids) == sorted(
        [f"{RECORD.run_id}-{kind.value}" for kind in RunEventKind] + [f"{RECORD.run_id}-deployed"]
    )


def test_a_subscription_may_ask_for_some_types_only(
    grid: StandIn, endpoint: Receiver, name: str, announcements: RunEventPublisher
) -> None:
    ends = {"includedEventTypes": ["io.edgetrain.run.deployed"]}
    grid.subscribe(name, endpoint.url, CLOUD_TOPIC, eventDeliverySchema="CloudEventSchemaV1_0", filter=ends)

    for kind in (RunEventKind.ACCEPTED, RunEventKind.DEPLOYED):
        announcements.publish(RunEvent(kind=kind, occurred_at=START, record=RECORD))

    grid.final_counts(name)
    assert endpoint.ids == [f"{RECORD.run_id}-deployed"]


def test_a_wrong_key_is_permanent_names_the_settings_and_not_the_key(grid: StandIn) -> None:
    with (
        announcing(grid.endpoints["topics"][CLOUD_TOPIC]["endpoint"], "s3cret") as client,
        pytest.raises(PermanentError, match="EDGETRAIN_ANNOUNCEMENTS__ENDPOINT and __KEY") as refused,
    ):
        client.publish(EVENT)

    assert refused.value.code is Code.BAD_CONFIGURATION
    assert "s3cret" not in refused.value.reason


def test_a_topic_of_another_schema_is_permanent(grid: StandIn) -> None:
    topic = grid.endpoints["topics"][EVENTS_TOPIC]

    with announcing(topic["endpoint"], topic["key"]) as client, pytest.raises(PermanentError, match="refused"):
        client.publish(EVENT)


@pytest.mark.parametrize("endpoint", ["", "topic.westeurope-1.eventgrid.azure.net/api/events", "https://"])
def test_an_endpoint_that_is_no_url_is_permanent_and_names_the_setting(endpoint: str) -> None:
    with announcing(endpoint) as client, pytest.raises(PermanentError, match=NO_TOPIC) as refused:
        client.publish(EVENT)
    assert refused.value.code is Code.BAD_CONFIGURATION


def test_a_topic_that_is_not_there_is_permanent_and_names_the_setting(grid: StandIn) -> None:
    topic = grid.endpoints["topics"][CLOUD_TOPIC]
    elsewhere = topic["endpoint"].replace(CLOUD_TOPIC, "nobody")

    with announcing(elsewhere, topic["key"]) as client, pytest.raises(PermanentError, match=NO_TOPIC):
        client.publish(EVENT)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_service_in_trouble_is_transient(endpoint: Receiver, status: int) -> None:
    endpoint.status = status

    with announcing(endpoint.url) as client, pytest.raises(TransientError, match=f"answered {status}"):
        client.publish(EVENT)


def test_a_service_that_is_gone_is_transient_and_the_same_client_goes_on_when_it_is_back(tmp_path: Path) -> None:
    with running(tmp_path) as grid:
        topic = grid.endpoints["topics"][CLOUD_TOPIC]
        with announcing(topic["endpoint"], topic["key"]) as client:
            client.publish(EVENT)
            grid.kill()
            with pytest.raises(TransientError, match="did not answer"):
                client.publish(EVENT)
            grid.start()
            client.publish(EVENT)


def test_without_settings_nothing_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "shared.clients.announcements"):
        RunEventPublisher(None).publish(EVENT)

    assert f"{RECORD.run_id}-not_promoted" in caplog.text


@pytest.mark.parametrize("status", [200, 403, 404])
def test_what_a_web_page_took_was_not_announced(status: int) -> None:
    with answering() as proxy, announcing(f"{proxy.url}/api/events", "key") as client:
        proxy.answer = lambda *_: Reply(status, PAGE, "text/html")

        with pytest.raises(TransientError, match="a web page"):
            client.publish(EVENT)


def test_a_topic_that_is_ill_is_asked_three_times_and_then_left_to_the_orchestration() -> None:
    asked = 0

    def ill(*_: object) -> Reply:
        nonlocal asked
        asked += 1
        return Reply(503, b"", "text/plain")

    with answering() as proxy, announcing(f"{proxy.url}/api/events", "key") as client:
        proxy.answer = ill

        with pytest.raises(TransientError, match="503"):
            client.publish(EVENT)

    assert asked == 3
