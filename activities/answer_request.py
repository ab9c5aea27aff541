"""Answer a request that came as a message: what it led to, and that its outcome follows if it led to a run."""

from typing import Protocol

from shared.messages import AnswerRequest, Done, ReplyTo, RunRecord
from shared.wire_contracts.training_answers import TrainingAnswer, answer_to, outcome_is_awaited


class Answers(Protocol):
    """Sends answers."""

    def send(self, answer: TrainingAnswer) -> None:
        """Send an answer; a repeat is dropped."""

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        """Tell the outcome of a run that has ended; a repeat is dropped."""


class OutcomeSubscriptions(Protocol):
    """Knows who waits for a run."""

    def subscribe(self, run_id: str, reply: ReplyTo) -> None:
        """Answer it too when the run has ended."""

    def answered(self, run_id: str, reply: ReplyTo) -> None:
        """It was told the outcome."""


class Runs(Protocol):
    """Knows runs."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""


def answer_request(asked: AnswerRequest, *, answers: Answers, subscriptions: OutcomeSubscriptions, runs: Runs) -> Done:
    """Follow first, look at the run after: one that ends meanwhile has its outcome sent here, or at its end."""
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
