"""Queues through the vendor's SDK, unmodified: sending, locking, settling."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError

from tests.integration.service_bus.clients import WAIT, Clients, nothing_in, receive
from tests.support.service_bus import LOCK_SECONDS
from tests.support.service_process import eventually


def test_a_message_arrives_as_it_was_sent(clients: Clients, orders: ServiceBusReceiver) -> None:
    before = datetime.now(UTC)
    sent = ServiceBusMessage(
        b"\x00body",
        application_properties={"text": "täxt", "number": 7, "flag": True, "ratio": 0.5},
        content_type="application/json",
        correlation_id="corr",
        message_id="id-1",
        subject="subject",
        reply_to="results",
        to="somewhere",
        partition_key="p",
    )
    clients.send("orders", sent)

    (message,) = receive(orders, 1)

    assert b"".join(message.body) == b"\x00body"
    properties = {key.decode(): value for key, value in (message.application_properties or {}).items()}  # type: ignore[union-attr]
    assert properties == {"text": "täxt".encode(), "number": 7, "flag": True, "ratio": 0.5}
    assert (message.message_id, message.correlation_id, message.content_type) == ("id-1", "corr", "application/json")
    assert (message.subject, message.reply_to, message.to) == ("subject", "results", "somewhere")
    assert message.partition_key == "p"
    assert message.delivery_count == 0
    assert message.sequence_number == message.enqueued_sequence_number
    assert message.enqueued_time_utc is not None
    assert abs(message.enqueued_time_utc - before) < timedelta(seconds=30)
    assert message.locked_until_utc is not None
    assert message.locked_until_utc > before + timedelta(seconds=20)
    assert uuid.UUID(str(message.lock_token))
    orders.complete_message(message)


def test_single_list_and_batch_arrive_in_order(
    client: ServiceBusClient, clients: Clients, orders: ServiceBusReceiver
) -> None:
    clients.send("orders", "1")
    clients.send("orders", "2", "3")
    with client.get_queue_sender("orders") as sender:
        batch = sender.create_message_batch()
        for text in ("4", "5", "6"):
            batch.add_message(ServiceBusMessage(text))
        sender.send_messages(batch)

    messages = receive(orders, 6)

    assert [str(message) for message in messages] == list("123456")
    for message in messages:
        orders.complete_message(message)


def test_a_big_body_and_an_empty_one(clients: Clients, orders: ServiceBusReceiver) -> None:
    big = bytes(range(256)) * 800  # 200 kB
    clients.send("orders", ServiceBusMessage(big))
    clients.send("orders", ServiceBusMessage(b""))

    messages = receive(orders, 2)

    assert [b"".join(message.body) for message in messages] == [big, b""]
    for message in messages:
        orders.complete_message(message)


def test_an_abandoned_message_comes_again_until_it_is_a_dead_letter(
    clients: Clients, orders: ServiceBusReceiver
) -> None:
    clients.send("orders", "poison")
    for count in range(3):
        (message,) = receive(orders, 1)
        assert message.delivery_count == count
        orders.abandon_message(message)

    dead = clients.receiver("orders", dead=True)
    (buried,) = receive(dead, 1)

    assert (str(buried), buried.delivery_count) == ("poison", 3)
    assert buried.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert buried.dead_letter_source == "orders"
    assert nothing_in(orders)
    dead.complete_message(buried)


def test_a_message_can_be_dead_lettered_with_a_reason(clients: Clients, orders: ServiceBusReceiver) -> None:
    clients.send("orders", ServiceBusMessage("odd", application_properties={"own": "kept"}))
    (message,) = receive(orders, 1)
    orders.dead_letter_message(message, reason="NotUnderstood", error_description="field x is missing")

    dead = clients.receiver("orders", dead=True)
    (buried,) = receive(dead, 1)

    assert buried.dead_letter_reason == "NotUnderstood"
    assert buried.dead_letter_error_description == "field x is missing"
    assert (buried.application_properties or {})[b"own"] == b"kept"
    dead.complete_message(buried)


def test_a_lock_that_runs_out_is_lost_and_the_message_comes_again(clients: Clients) -> None:
    brief = clients.receiver("brief")
    clients.send("brief", "slow")
    (late,) = receive(brief, 1)

    (again,) = receive(brief, 1)

    assert again.delivery_count == 1
    assert again.enqueued_sequence_number == late.enqueued_sequence_number
    with pytest.raises(MessageLockLostError):
        brief.complete_message(late)
    brief.complete_message(again)
    assert nothing_in(brief)


def test_a_renewed_lock_holds(clients: Clients) -> None:
    brief = clients.receiver("brief")
    clients.send("brief", "long")
    (message,) = receive(brief, 1)
    first_end = message.locked_until_utc
    assert first_end is not None

    end = datetime.now(UTC) + timedelta(seconds=LOCK_SECONDS + 1)
    while datetime.now(UTC) < end:
        brief.renew_message_lock(message)
        assert brief.receive_messages(1, max_wait_time=0.5) == []

    assert message.locked_until_utc is not None
    assert message.locked_until_utc > first_end
    brief.complete_message(message)


def test_a_lost_lock_cannot_be_renewed(clients: Clients) -> None:
    brief = clients.receiver("brief")
    clients.send("brief", "twice")
    (message,) = receive(brief, 1)
    brief.complete_message(message)
    message._settled = False  # so that the SDK asks the broker

    with pytest.raises(MessageLockLostError):
        brief.renew_message_lock(message)


def test_the_same_message_id_is_accepted_but_delivered_once(clients: Clients) -> None:
    once = clients.receiver("once")
    clients.send("once", ServiceBusMessage("first", message_id="same"))
    clients.send("once", ServiceBusMessage("second", message_id="same"))
    clients.send("once", ServiceBusMessage("third", message_id="same"), ServiceBusMessage("other", message_id="other"))

    messages = receive(once, 2)

    assert [str(message) for message in messages] == ["first", "other"]
    for message in messages:
        once.complete_message(message)
    assert nothing_in(once)


def test_peeking_shows_locked_messages_and_locks_none(clients: Clients, orders: ServiceBusReceiver) -> None:
    clients.send("orders", "a", "b")
    (locked,) = receive(orders, 1)

    peeked = orders.peek_messages(5, sequence_number=1)
    (other,) = receive(orders, 1)

    assert [str(message) for message in peeked] == ["a", "b"]
    for message in (locked, other):
        orders.complete_message(message)


def test_a_receiver_that_deletes_at_once(client: ServiceBusClient, clients: Clients) -> None:
    clients.send("orders", "a", "b")
    with client.get_queue_receiver("orders", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as deleting:
        assert [str(message) for message in receive(deleting, 2)] == ["a", "b"]

    assert clients.receiver("orders").peek_messages(5, sequence_number=1) == []


def test_a_closed_receiver_gives_back_what_it_had_not_handed_out(
    client: ServiceBusClient, clients: Clients, orders: ServiceBusReceiver
) -> None:
    with client.get_queue_receiver("orders", prefetch_count=5) as prefetching:
        clients.send("orders", "a", "b", "c")
        (taken,) = receive(prefetching, 1)
        assert str(taken) == "a"
        prefetching.complete_message(taken)

    messages = receive(orders, 2)

    assert [(str(message), message.delivery_count) for message in messages] == [("b", 0), ("c", 0)]
    for message in messages:
        orders.complete_message(message)


def test_a_closed_receiver_keeps_its_locks_until_they_run_out(client: ServiceBusClient, clients: Clients) -> None:
    clients.send("brief", "held")
    with client.get_queue_receiver("brief") as closing:
        (held,) = receive(closing, 1)
        assert held.delivery_count == 0

    (again,) = receive(clients.receiver("brief"), 1)

    assert again.delivery_count == 1
    clients.receiver("brief").complete_message(again)


def test_receivers_share_a_queue_without_duplicates(client: ServiceBusClient, clients: Clients) -> None:
    count = 60
    clients.send("shared", *(str(number) for number in range(count)))

    begin = Barrier(4)

    def drain(_: int) -> list[str]:
        taken: list[str] = []
        with client.get_queue_receiver("shared") as receiver:
            begin.wait(120)
            while messages := receiver.receive_messages(5, max_wait_time=5):
                for message in messages:
                    receiver.complete_message(message)
                    taken.append(str(message))
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(drain, range(4)))

    assert sorted(int(text) for one in taken for text in one) == list(range(count))
    assert sum(bool(one) for one in taken) > 1, "one receiver got everything"


def test_a_message_sent_while_a_receiver_waits_is_pushed_to_it(clients: Clients, orders: ServiceBusReceiver) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(orders.receive_messages, 1, WAIT)
        eventually(waiting.running)
        clients.send("orders", "pushed")
        (message,) = waiting.result(timeout=WAIT)

    assert str(message) == "pushed"
    orders.complete_message(message)
