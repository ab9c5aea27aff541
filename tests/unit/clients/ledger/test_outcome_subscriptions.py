from dataclasses import replace

from shared.messages import ReplyTo
from tests.support.memory_tables import memory_ledger
from tests.support.workflow import START

REPLY = ReplyTo(message_id="message/1?#", correlation_id="c-1", reply_to="lab")
OTHER = ReplyTo(message_id="message-2")


def test_who_follows_a_run_is_found_until_it_was_answered() -> None:
    subscriptions = memory_ledger().outcome_subscriptions
    subscriptions.subscribe("run-1", REPLY)
    subscriptions.subscribe("run-1", OTHER)

    assert sorted(subscriptions.subscribers("run-1"), key=str) == sorted([REPLY, OTHER], key=str)
    subscriptions.answered("run-1", REPLY)
    assert subscriptions.subscribers("run-1") == [OTHER]
    assert subscriptions.unanswered() == [("run-1", OTHER)]


def test_following_and_answering_are_safe_to_repeat() -> None:
    subscriptions = memory_ledger().outcome_subscriptions
    subscriptions.subscribe("run-1", REPLY)
    subscriptions.subscribe("run-1", replace(REPLY, reply_to="elsewhere"))
    assert subscriptions.subscribers("run-1") == [replace(REPLY, reply_to="elsewhere")]

    subscriptions.answered("run-1", REPLY)
    subscriptions.answered("run-1", REPLY)
    assert subscriptions.unanswered() == []


def test_a_run_whose_id_begins_with_anothers_keeps_its_own_subscribers() -> None:
    subscriptions = memory_ledger().outcome_subscriptions
    subscriptions.subscribe("run-1", REPLY)
    subscriptions.subscribe("run-1-more", OTHER)

    assert subscriptions.subscribers("run-1") == [REPLY]
    assert subscriptions.subscribers("run-1-more") == [OTHER]
    assert subscriptions.subscribers("run") == []
    assert sorted(subscriptions.unanswered(), key=str) == [("run-1", REPLY), ("run-1-more", OTHER)]


def test_a_request_and_a_subscription_do_not_meet_in_their_common_table() -> None:
    ledger = memory_ledger()
    ledger.requests.claim("bus", "key", body_digest="b", instance_id="i", at=START)

    assert ledger.outcome_subscriptions.unanswered() == []
