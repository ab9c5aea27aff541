"""Answer a training request that came by Service Bus, and subscribe it to the run's outcome when there is a run."""

from typing import Protocol

from shared.messages import AnswerRequest, Done, ReplyTo, RunRecord
from shared.wire_contracts.training_answers import TrainingAnswer, answer_to, outcome_is_awaited


class Answers(Protocol):
    """Sends answers to upstream systems."""

    def send(self, answer: TrainingAnswer) -> None:
        """Send the answer; the topic's duplicate detection drops a repeat."""

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        """Send the outcome of a run that has ended; the topic's duplicate detection drops a repeat."""


class OutcomeSubscriptions(Protocol):
    """Stores outcome subscriptions."""

    def subscribe(self, run_id: str, reply: ReplyTo) -> None:
        """Have the outcome sent to this message's sender when the run ends."""

    def answered(self, run_id: str, reply: ReplyTo) -> None:
        """Remove the subscription: the outcome was sent."""


class Runs(Protocol):
    """Reads run records."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""


def answer_request(asked: AnswerRequest, *, answers: Answers, subscriptions: OutcomeSubscriptions, runs: Runs) -> Done:
    """Subscribe first, then read the run: if it ended in between, its outcome is sent here or by the run itself."""
    reply, admission = asked.request.reply, asked.admission
    if reply is None:
        return Done()
    following = admission.run_id if admission is not None and outcome_is_awaited(admission) else None
    if following is not None:
        subscriptions.subscribe(following, reply)
    record = runs.run(admission.run_id) if admission is not None and admission.run_id is not None else None
    answers.send(answer_to(asked, reply, record))
    if following is not None and record is not None and record.outcome is not None:
        answers.outcome(reply, record)
        subscriptions.answered(following, reply)
    return Done()
