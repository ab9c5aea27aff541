"""What cannot be delivered becomes a blob, in a real Azurite; and new blobs there become events."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.integration.event_grid.stand_in import (
    CLOUD_TOPIC,
    EVENTS_TOPIC,
    Receiver,
    StandIn,
    a_cloud_event,
    an_event,
    receiving,
    running,
)
from tests.support.azurite import running_azurite
from tests.support.functions_host import eventually

ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/cloud"


@pytest.fixture(scope="module")
def connection_string(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_azurite(tmp_path_factory.mktemp("azurite"), services=("blob",)) as accounts:
        yield accounts["testaccount"]


@pytest.fixture
def container(connection_string: str, name: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(connection_string) as service:
        yield service.create_container(f"dead-{name}")


def dead_letters(container: ContainerClient) -> dict[str, dict[str, Any]]:
    """Blob name to the one event in it."""
    found = {}
    for name in container.list_blob_names():
        (found[name],) = json.loads(container.download_blob(name).readall())
    return found


def destination(container: ContainerClient, connection_string: str) -> dict[str, str]:
    return {"connectionString": connection_string, "containerName": container.container_name}


def test_an_event_is_a_dead_letter_after_its_last_attempt(
    grid: StandIn, endpoint: Receiver, name: str, container: ContainerClient, connection_string: str
) -> None:
    endpoint.status = 500
    where = destination(container, connection_string)
    grid.subscribe(name, endpoint.url, retryPolicy={"maxDeliveryAttempts": 2}, deadLetterDestination=where)
    sent = an_event()

    grid.publish(EVENTS_TOPIC, sent)

    expected = {"attempts": 2, "deadLettered": 1, "dropped": 0, "delivered": 0}
    assert expected.items() <= grid.settled(name).items()
    ((blob, letter),) = dead_letters(container).items()
    assert re.fullmatch(rf"{name.upper()}/\d{{4}}/\d\d?/\d\d?/\d\d?/[0-9a-f-]{{36}}\.json", blob)
    assert (letter["id"], letter["eventType"], letter["data"]) == (sent.id, sent.event_type, {"size": 3})
    assert letter["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
    assert letter["deliveryAttempts"] == 2
    assert letter["lastDeliveryOutcome"] == "GenericError"
    assert letter["publishTime"] < letter["lastDeliveryAttemptTime"]


def test_a_final_answer_makes_a_dead_letter_at_once_and_cloud_events_in_lower_case(
    grid: StandIn, endpoint: Receiver, name: str, container: ContainerClient, connection_string: str
) -> None:
    endpoint.status = 400
    where = destination(container, connection_string)
    schema = {"eventDeliverySchema": "CloudEventSchemaV1_0"}
    grid.subscribe(name, endpoint.url, CLOUD_TOPIC, deadLetterDestination=where, **schema)
    sent = a_cloud_event()

    grid.publish(CLOUD_TOPIC, sent)

    assert {"attempts": 1, "deadLettered": 1}.items() <= grid.settled(name).items()
    (letter,) = dead_letters(container).values()
    assert letter["id"] == sent.id
    assert letter["lastdeliveryoutcome"] == "BadRequest"
    added = {"deadletterreason", "deliveryattempts", "lastdeliveryoutcome", "publishtime", "lastdeliveryattempttime"}
    assert set(letter) - {"id", "source", "type", "specversion", "time", "data"} == added


def test_without_its_container_a_dead_letter_is_dropped(
    grid: StandIn, endpoint: Receiver, name: str, connection_string: str
) -> None:
    endpoint.status = 400
    where = {"connectionString": connection_string, "containerName": "not-there"}
    grid.subscribe(name, endpoint.url, deadLetterDestination=where)

    grid.publish(EVENTS_TOPIC, an_event())

    assert {"dropped": 1, "deadLettered": 0}.items() <= grid.settled(name).items()


def test_dead_letters_wait_for_their_storage(tmp_path: Path, name: str, endpoint: Receiver) -> None:
    endpoint.status = 400
    nobody = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=eA==;BlobEndpoint=http://127.0.0.1:9/a;"
    where = {"connectionString": nobody, "containerName": "letters"}
    with running(tmp_path) as grid:
        grid.subscribe(name, endpoint.url, deadLetterDestination=where)
        grid.publish(EVENTS_TOPIC, an_event())
        endpoint.wait_for(1)

        grid.kill()
        grid.start()

        assert {"pending": 1, "dropped": 0, "attempts": 1}.items() <= grid.stats(name).items()


def test_new_blobs_are_events(tmp_path: Path, connection_string: str) -> None:
    with receiving() as endpoint, BlobServiceClient.from_connection_string(connection_string) as service:
        container = service.create_container("watched")
        container.upload_blob("old.csv", b"before")
        config = {
            "topics": [{"name": "storage", "resourceId": ACCOUNT}],
            "subscriptions": [{"name": "blobs", "topic": "storage", "endpoint": endpoint.url}],
            "blobSources": [
                {
                    "topic": "storage",
                    "connectionString": connection_string,
                    "containers": ["watched", "later"],
                    "every": 0.1,
                }
            ],
        }
        with running(tmp_path, config=config) as grid:
            eventually(lambda: grid.stats("blobs")["agreed"])
            eventually(lambda: grid.log.count("container is watched") == 2)
            upload = container.get_blob_client("a/ü 1.csv")
            upload.upload_blob(b"123")
            service.create_container("later").upload_blob("b.csv", b"4")

            received = {one.event["subject"]: one.event for one in endpoint.wait_for(2)}
            event = received["/blobServices/default/containers/watched/blobs/a/ü 1.csv"]
            assert event["topic"] == ACCOUNT
            assert event["eventType"] == "Microsoft.Storage.BlobCreated"
            assert event["data"]["contentLength"] == 3
            assert event["data"]["blobType"] == "BlockBlob"
            assert event["data"]["url"] == upload.url
            assert event["data"]["eTag"] == str(upload.get_blob_properties().etag).strip('"')
            assert "/blobServices/default/containers/later/blobs/b.csv" in received

            # What happens while it is away is seen when it is back, once; a deletion is no event.
            grid.kill()
            container.upload_blob("a/ü 1.csv", b"4567", overwrite=True)
            container.delete_blob("old.csv")
            grid.start()
            third = endpoint.wait_for(3)[2].event
            assert third["data"]["contentLength"] == 4
            assert third["data"]["sequencer"] > event["data"]["sequencer"]
            assert grid.settled("blobs")["matched"] == 3
