from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceiver

from tests.integration.service_bus.clients import Clients
from tests.support.service_bus import BrokerProcess, a_queue, running_broker, write_entities

TOPIC = {
    "Name": "results",
    "Subscriptions": [
        {"Name": "all", "Properties": {"LockDuration": "PT30S", "MaxDeliveryCount": 1}},
        {"Name": "too"},
    ],
}


@pytest.fixture(scope="session")
def entities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_entities(
        tmp_path_factory.mktemp("service-bus") / "entities.json",
        a_queue("orders", LockDuration="PT30S"),
        a_queue("brief"),
        a_queue("once", RequiresDuplicateDetection=True, DuplicateDetectionHistoryTimeWindow="PT1M"),
        a_queue("shared", LockDuration="PT30S"),
        topics=(TOPIC,),
    )


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, entities: Path) -> Iterator[BrokerProcess]:
    """One broker for all tests that leave it running."""
    with running_broker(tmp_path_factory.mktemp("service-bus") / "state", entities) as running:
        yield running


@pytest.fixture(scope="session")
def client(broker: BrokerProcess) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as made:
        yield made


@pytest.fixture(scope="session")
def clients(client: ServiceBusClient) -> Iterator[Clients]:
    """Senders and receivers that live as long as the tests: opening and closing one takes the SDK over a second."""
    with Clients(client) as made:
        yield made


@pytest.fixture
def orders(clients: Clients) -> Iterator[ServiceBusReceiver]:
    yield clients.receiver("orders")
    assert clients.receiver("orders").peek_messages(9, sequence_number=1) == [], "the test left messages behind"
