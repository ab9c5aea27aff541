"""Topics, refusals and access, through the vendor's SDK."""

import asyncio
import socket
import struct
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

from tests.integration.service_bus.clients import WAIT, Clients, nothing_in, receive
from tests.support.service_bus import BrokerProcess


def test_each_subscription_gets_everything(clients: Clients) -> None:
    clients.send("results", "1", "2")

    for name in ("all", "too"):
        receiver = clients.receiver("results", name)
        messages = receive(receiver, 2)
        assert [str(message) for message in messages] == ["1", "2"]
        for message in messages:
            receiver.complete_message(message)
        assert nothing_in(receiver)


def test_a_subscription_has_dead_letters_of_its_own(clients: Clients) -> None:
    clients.send("results", "poison")
    (message,) = receive(clients.receiver("results", "all"), 1)
    clients.receiver("results", "all").abandon_message(message)

    dead = clients.receiver("results", "all", dead=True)
    (buried,) = receive(dead, 1)

    assert buried.dead_letter_source == "results/Subscriptions/all"
    dead.complete_message(buried)


@pytest.mark.parametrize(
    "opening",
    [
        lambda client: client.get_queue_sender("nowhere"),
        lambda client: client.get_queue_receiver("nowhere"),
        lambda client: client.get_subscription_receiver("results", "nowhere"),
    ],
)
def test_an_entity_that_is_not_there_is_not_found(
    client: ServiceBusClient, opening: Callable[[ServiceBusClient], object]
) -> None:
    with pytest.raises(MessagingEntityNotFoundError, match="nowhere"), opening(client):  # type: ignore[attr-defined]
        pass


def test_one_cannot_receive_from_a_topic(client: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError, match="is a topic"), client.get_queue_receiver("results"):
        pass


def test_sessions_and_schedules_are_refused(client: ServiceBusClient, clients: Clients) -> None:
    with pytest.raises(ServiceBusError, match="Sessions"), client.get_queue_receiver("orders", session_id="s"):
        pass
    with pytest.raises(ServiceBusError, match="scheduled"):
        clients.send("orders", ServiceBusMessage("later", scheduled_enqueue_time_utc=datetime.now(UTC)))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("SharedAccessKey=", "SharedAccessKey=not-"), ("SharedAccessKeyName=Root", "SharedAccessKeyName=Toor")],
)
def test_a_wrong_key_opens_nothing(broker: BrokerProcess, right: str, wrong: str) -> None:
    altered = broker.connection_string.replace(right, wrong)
    assert altered != broker.connection_string

    with (
        ServiceBusClient.from_connection_string(altered, retry_total=0) as client,
        pytest.raises(ServiceBusAuthenticationError),
        client.get_queue_sender("orders"),
    ):
        pass


def test_the_key_is_in_no_log(broker: BrokerProcess) -> None:
    key = broker.connection_string.partition("SharedAccessKey=")[2].partition(";")[0]

    assert len(key) > 40
    assert key not in broker.log.read_text(encoding="utf-8")


def test_a_message_beyond_the_limit_is_refused(client: ServiceBusClient, clients: Clients) -> None:
    with client.get_queue_sender("orders") as sender, pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(bytes(2 << 20)))

    assert clients.receiver("orders").peek_messages(1, sequence_number=1) == []


def test_the_async_client_works_as_well(broker: BrokerProcess) -> None:
    async def round_trip() -> list[str]:
        async with AsyncClient.from_connection_string(broker.connection_string, retry_total=0) as client:
            async with client.get_queue_sender("orders") as sender:
                await sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
            async with client.get_queue_receiver("orders") as receiver:
                taken: list[str] = []
                while len(taken) < 2:
                    for message in await receiver.receive_messages(2, max_wait_time=WAIT):
                        await receiver.renew_message_lock(message)
                        await receiver.complete_message(message)
                        taken.append(str(message))
                return taken

    assert asyncio.run(round_trip()) == ["a", "b"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"AMQP\x00\x01\x00\x00" + struct.pack(">IBBH", 1 << 31, 2, 0, 0),
        b"AMQP\x00\x01\x00\x00" + struct.pack(">IBBH", 12, 2, 0, 0) + b"\xff" * 4,
        b"AMQP\x03\x01\x00\x00" + b"\x00" * 64,
    ],
)
def test_garbage_ends_its_own_connection_only(broker: BrokerProcess, clients: Clients, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", broker.port), timeout=WAIT) as connection:
        connection.sendall(garbage)
        while connection.recv(4096):
            pass  # the broker says why, and closes

    assert clients.receiver("orders").peek_messages(1, sequence_number=1) == []
