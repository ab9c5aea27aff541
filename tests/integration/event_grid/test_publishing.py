"""What publishers see, through the vendor's own client."""

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from azure.core.credentials import AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.eventgrid import EventGridPublisherClient, generate_sas
from azure.eventgrid.aio import EventGridPublisherClient as AsyncPublisherClient

from tests.integration.event_grid.stand_in import (
    CLOUD_TOPIC,
    EVENTS_TOPIC,
    Receiver,
    StandIn,
    a_cloud_event,
    an_event,
)

VERSION = {"api-version": "2018-01-01"}
GOOD: dict[str, Any] = {
    "id": "1",
    "subject": "s",
    "eventType": "t",
    "eventTime": "2026-01-01T00:00:00.1234567Z",
    "data": {},
    "dataVersion": "",
}


def post(grid: StandIn, content: str | bytes, content_type: str, topic: str = EVENTS_TOPIC) -> requests.Response:
    where = grid.endpoints["topics"][topic]
    headers = {"aeg-sas-key": where["key"], "Content-Type": content_type}
    return requests.post(where["endpoint"], data=content, headers=headers, params=VERSION, timeout=30)


def test_both_schemas_are_taken_from_the_vendors_clients(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url)
    sent = an_event()

    grid.publish(EVENTS_TOPIC, sent)
    grid.publish(CLOUD_TOPIC, a_cloud_event())

    assert endpoint.wait_for(1)[0].event["id"] == sent.id


def test_the_asynchronous_client_publishes_too(grid: StandIn, endpoint: Receiver, name: str) -> None:
    where = grid.endpoints["topics"][CLOUD_TOPIC]
    grid.subscribe(name, endpoint.url, CLOUD_TOPIC, eventDeliverySchema="CloudEventSchemaV1_0")
    sent = [a_cloud_event(), a_cloud_event(data=b"bytes")]

    async def publish() -> None:
        async with AsyncPublisherClient(where["endpoint"], AzureKeyCredential(where["key"])) as publisher:
            await publisher.send(sent)

    asyncio.run(publish())

    received = {one.event["id"]: one.event for one in endpoint.wait_for(2)}
    assert received[sent[0].id]["data"] == {"n": 1}
    assert received[sent[1].id]["data_base64"] == "Ynl0ZXM="


@pytest.mark.parametrize("key", ["wrong", "", "ünïcode".encode().decode("latin-1")])
def test_a_wrong_key_is_refused(grid: StandIn, key: str) -> None:
    with (
        grid.publisher(EVENTS_TOPIC, AzureKeyCredential(key)) as publisher,
        pytest.raises(HttpResponseError) as refused,
    ):
        publisher.send(an_event())

    assert isinstance(refused.value, ClientAuthenticationError)
    error = json.loads(refused.value.response.text())["error"] if refused.value.response else {}
    assert error["code"] == error["details"][0]["code"] == "Unauthorized"


def test_the_key_of_another_topic_is_refused(grid: StandIn) -> None:
    other = AzureKeyCredential(grid.endpoints["topics"][CLOUD_TOPIC]["key"])

    with grid.publisher(EVENTS_TOPIC, other) as publisher, pytest.raises(ClientAuthenticationError):
        publisher.send(an_event())


def sas(grid: StandIn, topic: str = EVENTS_TOPIC, *, hours: float = 1, signed_with: str = EVENTS_TOPIC) -> str:
    where, key = grid.endpoints["topics"][topic], grid.endpoints["topics"][signed_with]["key"]
    return generate_sas(where["endpoint"], key, datetime.now(UTC) + timedelta(hours=hours))


def test_a_signature_is_as_good_as_the_key(grid: StandIn) -> None:
    with grid.publisher(EVENTS_TOPIC, AzureSasCredential(sas(grid))) as publisher:
        publisher.send(an_event())

    where, headers = grid.endpoints["topics"][EVENTS_TOPIC], {"Authorization": f"SharedAccessSignature {sas(grid)}"}
    answer = requests.post(where["endpoint"], json=[GOOD], headers=headers, params=VERSION, timeout=30)
    assert answer.status_code == 200


def test_a_bad_signature_is_refused(grid: StandIn) -> None:
    good = sas(grid)
    for token in (
        sas(grid, hours=-1),
        sas(grid, topic=CLOUD_TOPIC),
        sas(grid, signed_with=CLOUD_TOPIC),
        good.replace("&e=20", "&e=21"),
        good[:-6],
        "r=x&e=y",
        "nonsense",
    ):
        publisher = grid.publisher(EVENTS_TOPIC, AzureSasCredential(token))
        with publisher, pytest.raises(ClientAuthenticationError):
            publisher.send(an_event())


def test_an_unknown_topic_is_not_found(grid: StandIn) -> None:
    where = grid.endpoints["topics"][EVENTS_TOPIC]
    client = EventGridPublisherClient(
        where["endpoint"].replace(EVENTS_TOPIC, "nobody"), AzureKeyCredential(where["key"])
    )

    with client, pytest.raises(ResourceNotFoundError):
        client.send(an_event())


def test_a_topic_takes_its_own_schema_only(grid: StandIn) -> None:
    for topic, event in ((EVENTS_TOPIC, a_cloud_event()), (CLOUD_TOPIC, an_event())):
        with pytest.raises(HttpResponseError) as refused:
            grid.publish(topic, event)
        assert refused.value.status_code == 400


@pytest.mark.parametrize(
    "query", [{}, {"api-version": ""}, {"api-version": "2017-01-01"}, {"apiversion": "2018-01-01"}]
)
@pytest.mark.parametrize("topic", [EVENTS_TOPIC, CLOUD_TOPIC])
def test_publishing_needs_the_version_of_the_api(grid: StandIn, topic: str, query: dict[str, str]) -> None:
    where = grid.endpoints["topics"][topic]

    answer = requests.post(
        where["endpoint"], json=[GOOD], headers={"aeg-sas-key": where["key"]}, params=query, timeout=30
    )

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["details"][0]["code"]) == ("BadRequest", "BadRequest")
    assert "api-version" in error["message"]


# "required" of EventGridEvent in the service's published description, data-plane 2018-01-01.
@pytest.mark.parametrize("field", ["id", "subject", "data", "eventType", "eventTime", "dataVersion"])
def test_every_field_that_the_services_description_requires_is_required(grid: StandIn, field: str) -> None:
    body = json.dumps([{name: value for name, value in GOOD.items() if name != field}])

    answer = post(grid, body, "application/json")

    assert answer.status_code == 400
    assert field in answer.json()["error"]["message"]


def test_more_than_a_megabyte_is_too_large(grid: StandIn) -> None:
    with pytest.raises(HttpResponseError) as refused:
        grid.publish(EVENTS_TOPIC, an_event(data={"text": "x" * (1 << 20)}))

    assert refused.value.status_code == 413
    assert json.loads(refused.value.response.text())["error"]["code"] == "PayloadTooLarge"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "7",
        "[]",
        "[7]",
        json.dumps(GOOD),
        json.dumps([{**GOOD, "id": ""}]),
        json.dumps([{**GOOD, "eventTime": "yesterday"}]),
        json.dumps([{**GOOD, "topic": "/another"}]),
        json.dumps([{**GOOD, "metadataVersion": "2"}]),
        json.dumps([{**GOOD, "dataVersion": 1}]),
        json.dumps([{name: value for name, value in GOOD.items() if name != "data"}]),
        json.dumps([{name: value for name, value in GOOD.items() if name != "dataVersion"}]),
        json.dumps([GOOD, {**GOOD, "subject": None}]),
        '[{"id": NaN}]',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_array_of_events_is_refused(grid: StandIn, body: str | bytes) -> None:
    answer = post(grid, body, "application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadRequest"


def test_nothing_of_a_request_is_queued_when_one_event_is_wrong(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url)

    assert post(grid, json.dumps([GOOD, {**GOOD, "eventTime": ""}]), "application/json").status_code == 400

    assert grid.stats(name)["matched"] == 0
    assert post(grid, json.dumps([GOOD, GOOD]), "application/json").status_code == 200
    assert grid.final_counts(name)["delivered"] == 2


def test_a_single_cloud_event_may_come_without_an_array(grid: StandIn) -> None:
    event = {"id": "1", "source": "s", "type": "t", "specversion": "1.0"}

    assert post(grid, json.dumps(event), "application/cloudevents+json", CLOUD_TOPIC).status_code == 200
    for wrong in ({"specversion": "0.3"}, {"Upper": 1}, {"data": 1, "data_base64": "eA=="}, {"time": "now"}):
        answer = post(grid, json.dumps({**event, **wrong}), "application/cloudevents+json", CLOUD_TOPIC)
        assert answer.status_code == 400, wrong


def test_the_control_api_wants_its_key(grid: StandIn, endpoint: Receiver) -> None:
    definition = {"topic": EVENTS_TOPIC, "endpoint": endpoint.url}
    for key in ("", "wrong", grid.endpoints["topics"][EVENTS_TOPIC]["key"]):
        assert grid.control("GET", "stats", key=key).status_code == 401
        assert grid.control("PUT", "subscriptions/abc", key=key, json=definition).status_code == 401
        assert grid.control("DELETE", "subscriptions/abc", key=key).status_code == 401
    assert not endpoint.seen


def test_its_files_are_for_their_owner_alone(grid: StandIn) -> None:
    files = [file for file in grid.state.iterdir() if file.is_file()]

    assert {"endpoints.json", "event_grid.sqlite3"} <= {file.name for file in files}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_no_key_gets_into_the_log(grid: StandIn, endpoint: Receiver, name: str) -> None:
    grid.subscribe(name, endpoint.url)
    endpoint.status = 500
    grid.publish(EVENTS_TOPIC, an_event())
    endpoint.wait_for(2)
    grid.control("GET", "stats?code=endpoint-secret", key="wrong")

    keys = [topic["key"] for topic in grid.endpoints["topics"].values()]
    for secret in (*keys, grid.endpoints["control_key"], "endpoint-secret"):
        assert secret not in grid.log
