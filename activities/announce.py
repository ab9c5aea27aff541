"""Tell the world of a moment of a run; at its end, also those who asked for it by message."""

from collections.abc import Sequence
from typing import Protocol

from shared.messages import Done, ReplyTo, RunEvent, RunRecord


class Publisher(Protocol):
    """Publishes announcements."""

    def publish(self, event: RunEvent) -> None:
        """Tell all who subscribed."""


class Answers(Protocol):
    """Answers messages."""

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        """Send how the run ended."""


class OutcomeSubscriptions(Protocol):
    """Knows who waits for a run's outcome."""

    def subscribers(self, run_id: str) -> Sequence[ReplyTo]:
        """Those who were not answered yet."""

    def answered(self, run_id: str, reply: ReplyTo) -> None:
        """They were answered."""


def announce(event: RunEvent, *, publisher: Publisher, answers: Answers, subscriptions: OutcomeSubscriptions) -> Done:
    """Publish, and answer. Neither waits for the other to work. Safe to repeat: ids are made of what is told."""
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
