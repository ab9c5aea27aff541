"""Publish a moment of a run to Event Grid; at the run's end, also answer the outcome subscriptions."""

from collections.abc import Sequence
from typing import Protocol

from shared.messages import Done, ReplyTo, RunEvent, RunRecord


class Publisher(Protocol):
    """Publishes announcements to Event Grid."""

    def publish(self, event: RunEvent) -> None:
        """Send one announcement to the topic."""


class Answers(Protocol):
    """Sends outcomes to upstream systems by Service Bus."""

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        """Send a run's outcome as the answer to one message."""


class OutcomeSubscriptions(Protocol):
    """Reads and removes outcome subscriptions."""

    def subscribers(self, run_id: str) -> Sequence[ReplyTo]:
        """The messages that still wait for the run's outcome."""

    def answered(self, run_id: str, reply: ReplyTo) -> None:
        """Remove the subscription: the outcome was sent."""


def announce(event: RunEvent, *, publisher: Publisher, answers: Answers, subscriptions: OutcomeSubscriptions) -> Done:
    """Publish, and answer; an error in one does not keep the other from being sent.

    Safe to repeat: message ids are derived from the content, so receivers recognise repeats.
    """
    try:
        publisher.publish(event)
    finally:
        if event.kind.final:
            _answer(event.record, answers, subscriptions)
    return Done()


def _answer(record: RunRecord, answers: Answers, subscriptions: OutcomeSubscriptions) -> None:
    for reply in subscriptions.subscribers(record.run_id):
        answers.outcome(reply, record)
        subscriptions.answered(record.run_id, reply)
