import sqlite3
import uuid
from collections.abc import Iterable
from typing import Any

import pytest

from local_stack.service_bus.journal import SqliteJournal
from local_stack.service_bus.queues import EntityNotFoundError, LockLostError, NotAllowedError, Queue
from local_stack.service_bus.records import Change
from tests.unit.service_bus.broker import Clock, broker, draft, entities, queue


def contents(one: Queue) -> list[str]:
    return [message.content.decode() for message in one.peek(0, 100)]


def lock_one(one: Queue) -> uuid.UUID:
    ((token, _),) = one.lock(1)
    return token


def test_messages_come_in_order_and_one_at_a_time() -> None:
    made = broker(queue())
    made.inbox("Orders").send([draft("a"), draft("b"), draft("c")])
    orders = made.queue("ORDERS")

    (first_token, first), (_, second) = orders.lock(2)
    ((_, third),) = orders.lock(5)

    assert [message.content for message in (first, second, third)] == [b"a", b"b", b"c"]
    assert [message.sequence for message in (first, second, third)] == [1, 2, 3]
    assert orders.lock(1) == []
    orders.complete(first_token)
    assert contents(orders) == ["b", "c"]


def test_a_settled_or_expired_lock_settles_nothing() -> None:
    clock = Clock()
    made = broker(queue(), clock=clock)
    made.inbox("orders").send([draft("a"), draft("b")])
    orders = made.queue("orders")
    settled, expired = lock_one(orders), lock_one(orders)
    orders.complete(settled)
    clock.advance(30)

    for operation in (orders.complete, orders.abandon, orders.release, orders.renew):
        for token in (settled, expired, uuid.uuid4()):
            with pytest.raises(LockLostError):
                operation(token)
    ((_, again),) = orders.lock(1)
    assert (again.content, again.delivery_count) == (b"b", 1)


def test_renewing_keeps_the_lock() -> None:
    clock = Clock()
    made = broker(queue(), clock=clock)
    made.inbox("orders").send([draft()])
    orders = made.queue("orders")
    token = lock_one(orders)

    clock.advance(29)
    assert orders.renew(token) == clock.now + 30
    clock.advance(29)
    assert orders.lock(1) == []
    orders.complete(token)

    assert len(orders) == 0


def test_a_message_goes_to_the_dead_letters_after_its_last_delivery() -> None:
    made = broker(queue())
    made.inbox("orders").send([draft("poison"), draft("good")])
    orders = made.queue("orders")

    for _ in range(3):
        orders.abandon(lock_one(orders))

    assert contents(orders) == ["good"]
    (dead,) = made.queue("orders/$deadletterqueue").peek(0, 10)
    assert dead.dead_letter is not None
    assert (dead.dead_letter.reason, dead.dead_letter.source) == ("MaxDeliveryCountExceeded", "orders")
    assert (dead.delivery_count, dead.sequence, dead.source_sequence) == (3, 1, 1)


def test_an_abandoned_message_keeps_its_place_and_a_released_one_its_count() -> None:
    made = broker(queue())
    made.inbox("orders").send([draft("a"), draft("b")])
    orders = made.queue("orders")
    orders.abandon(lock_one(orders))
    orders.release(lock_one(orders))

    ((_, again),) = orders.lock(1)

    assert (again.content, again.delivery_count) == (b"a", 1)


def test_dead_letters_are_delivered_without_end_but_never_buried_again() -> None:
    made = broker(queue())
    made.inbox("orders").send([draft()])
    orders, dead = made.queue("orders"), made.queue("orders/$DeadLetterQueue")
    orders.dead_letter(lock_one(orders), "Bad", "because")
    for _ in range(9):
        dead.abandon(lock_one(dead))
    token = lock_one(dead)

    with pytest.raises(NotAllowedError):
        dead.dead_letter(token, "Worse", "")
    dead.complete(token)

    assert len(dead) == len(orders) == 0


def test_duplicates_are_accepted_and_dropped_within_the_window_only() -> None:
    clock = Clock()
    detecting: dict[str, Any] = {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "PT1M"}
    made = broker(queue(**detecting), queue("plain"), clock=clock)
    orders = made.inbox("orders")

    orders.send([draft("1", message_id="m"), draft("2", message_id="m"), draft("3"), draft("4")])
    orders.send([draft("5", message_id="m")])
    clock.advance(60)
    orders.send([draft("6", message_id="m")])
    made.inbox("plain").send([draft("1", message_id="m"), draft("2", message_id="m")])

    assert contents(made.queue("orders")) == ["1", "3", "4", "6"]
    assert contents(made.queue("plain")) == ["1", "2"]


def test_a_topic_gives_each_subscription_everything() -> None:
    made = broker(topics=[{"Name": "results", "Subscriptions": [{"Name": "all"}, {"Name": "Too"}]}])

    made.inbox("results").send([draft("a"), draft("b")])

    assert contents(made.queue("results/subscriptions/all")) == ["a", "b"]
    assert contents(made.queue("Results/Subscriptions/too")) == ["a", "b"]
    with pytest.raises(NotAllowedError):
        made.queue("results")
    with pytest.raises(NotAllowedError):
        made.inbox("results/Subscriptions/all")


def test_unknown_entities_are_not_found() -> None:
    made = broker(queue())

    for find in (made.inbox, made.queue):
        with pytest.raises(EntityNotFoundError, match="'nowhere' could not be found"):
            find("nowhere")


def test_watchers_are_woken_in_turn() -> None:
    made = broker(queue())
    orders = made.queue("orders")
    woken: list[str] = []
    orders.watch(lambda: woken.append("a"))
    unwatch = orders.watch(lambda: woken.append("b"))

    made.inbox("orders").send([draft()])
    made.inbox("orders").send([draft()])
    unwatch()
    made.inbox("orders").send([draft()])

    assert sorted(woken[:2]) == sorted(woken[2:4]) == ["a", "b"]
    assert woken[0] != woken[2]
    assert woken[4:] == ["a"]


class FailingJournal(SqliteJournal):
    """A journal whose disk can be full."""

    full = False

    def write(self, changes: Iterable[Change]) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super().write(changes)


def test_what_could_not_be_written_has_not_happened() -> None:
    journal, clock = FailingJournal(":memory:"), Clock()
    detecting: dict[str, Any] = {"RequiresDuplicateDetection": True}
    made = entities(queue(**detecting)).broker(journal, clock)
    orders = made.queue("orders")
    made.inbox("orders").send([draft("a", message_id="a"), draft("b")])
    token = lock_one(orders)

    journal.full = True
    for operation in (
        lambda: made.inbox("orders").send([draft("c", message_id="c")]),
        lambda: orders.lock(1),
        lambda: orders.complete(token),
        lambda: orders.abandon(token),
        lambda: orders.dead_letter(token, "r", "d"),
    ):
        with pytest.raises(sqlite3.OperationalError):
            operation()
    journal.full = False
    made.inbox("orders").send([draft("c", message_id="c")])

    assert contents(orders) == ["a", "b", "c"]
    orders.complete(token)
    assert [message.content for _, message in orders.lock(5)] == [b"b", b"c"]

    clock.advance(30)
    journal.full = True
    with pytest.raises(sqlite3.OperationalError):
        made.expire()
    journal.full = False
    assert [(message.content, message.delivery_count) for _, message in orders.lock(5)] == [(b"b", 1), (b"c", 1)]
