import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from function_app.reconciler.outcome_answers import MOST_IN_VAIN, send_due_outcomes
from shared.errors import TransientError
from shared.messages import Outcome, ReplyTo, RunRecord
from tests.support.reconciler import WatchedWorld
from tests.support.workflow import START

FIRST, SECOND = ReplyTo(message_id="m-1", correlation_id="assay-17"), ReplyTo(message_id="m-2")


class Broker:
    """Keeps the answers that were sent; ``refuses``: of these messages, it takes none."""

    def __init__(self) -> None:
        self.sent: list[tuple[ReplyTo, RunRecord]] = []
        self.refuses: set[str] = set()

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        if reply.message_id in self.refuses:
            raise TransientError("the broker did not answer")
        self.sent.append((reply, record))


@pytest.fixture
def broker(world: WatchedWorld) -> Broker:
    broker = Broker()
    world.services.__dict__["results"] = broker
    return broker


def a_followed_run(world: WatchedWorld, *replies: ReplyTo, ended_at: object = START) -> RunRecord:
    run = world.claims()
    for reply in replies:
        world.ledger.outcome_subscriptions.subscribe(run.run_id, reply)
    record = world.ledger.runs.run(run.run_id)
    assert record is not None
    if ended_at is not None:
        record = replace(record, outcome=Outcome.FAILED, ended_at=ended_at)  # type: ignore[arg-type]
        world.ledger.runs.record_run(record)
    return record


def test_everyone_who_waits_for_a_run_that_ended_is_answered_once(world: WatchedWorld, broker: Broker) -> None:
    record = a_followed_run(world, FIRST, SECOND)

    context, _ = world.cycle(send_due_outcomes)
    world.cycle(send_due_outcomes)

    assert sorted(broker.sent, key=lambda sent: sent[0].message_id) == [(FIRST, record), (SECOND, record)]
    assert world.ledger.outcome_subscriptions.unanswered() == []
    assert context.done == {"requests answered": 2}


def test_nobody_is_answered_about_a_run_that_goes_on(world: WatchedWorld, broker: Broker) -> None:
    a_followed_run(world, FIRST, ended_at=None)

    world.cycle(send_due_outcomes)

    assert broker.sent == []


def test_a_run_that_ended_just_now_is_left_to_its_own_orchestration(world: WatchedWorld, broker: Broker) -> None:
    a_followed_run(world, FIRST, ended_at=world.now - timedelta(seconds=10))

    world.cycle(send_due_outcomes)
    assert broker.sent == []
    world.now += timedelta(minutes=2)
    world.cycle(send_due_outcomes)

    assert len(broker.sent) == 1


def test_what_cannot_be_sent_is_tried_again_and_keeps_nobody(
    world: WatchedWorld, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    a_followed_run(world, FIRST, SECOND)
    broker.refuses = {"m-1"}

    with caplog.at_level(logging.WARNING):
        context, _ = world.cycle(send_due_outcomes)

    assert [reply for reply, _ in broker.sent] == [SECOND]
    assert context.failed == 1
    assert "could not answer message m-1" in caplog.text
    broker.refuses = set()
    world.cycle(send_due_outcomes)
    assert [reply for reply, _ in broker.sent] == [SECOND, FIRST]


def test_a_broker_that_is_away_does_not_hold_up_the_pass_for_each_who_waits(
    world: WatchedWorld, broker: Broker
) -> None:
    waiting = [ReplyTo(message_id=f"m-{number}") for number in range(20)]
    a_followed_run(world, *waiting)
    broker.refuses = {reply.message_id for reply in waiting}

    context, _ = world.cycle(send_due_outcomes)
    assert context.failed == MOST_IN_VAIN
    broker.refuses = set()
    world.cycle(send_due_outcomes)

    assert len(broker.sent) == len(waiting)


def test_who_follows_a_run_nobody_knows_keeps_nobody(world: WatchedWorld, broker: Broker) -> None:
    world.ledger.outcome_subscriptions.subscribe("breast-cancer-000000000000-1", FIRST)

    context, _ = world.cycle(send_due_outcomes)

    assert (broker.sent, context.failed) == ([], 0)


def test_a_few_that_can_never_be_answered_do_not_keep_the_others_waiting_and_are_given_up(
    world: WatchedWorld, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = [ReplyTo(message_id=f"m-{number}") for number in range(12)]
    a_followed_run(world, *waiting)
    broker.refuses = {reply.message_id for reply in waiting[:6]}

    for _ in range(30):
        world.cycle(send_due_outcomes)
        world.now += timedelta(minutes=2)
    assert {reply.message_id for reply, _ in broker.sent} == {reply.message_id for reply in waiting[6:]}

    world.now = START + timedelta(days=7, minutes=1)
    with caplog.at_level(logging.ERROR):
        world.cycle(send_due_outcomes)
    assert world.ledger.outcome_subscriptions.unanswered() == []
    assert caplog.text.count("could not be sent") == 6
