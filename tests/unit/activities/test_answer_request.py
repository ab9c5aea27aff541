"""``answer_request``: nobody who follows a run stays without its outcome, whenever it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from activities.answer_request import answer_request
from shared.clients.ledger import Ledger
from shared.errors import TransientError
from shared.messages import (
    Admission,
    AdmissionRequest,
    AnswerRequest,
    Cause,
    Done,
    Outcome,
    ReplyTo,
    RunRecord,
    Verdict,
)
from shared.wire_contracts.training_answers import AnswerKind, TrainingAnswer, outcome_of
from tests.support.arrivals import a_run_record
from tests.support.memory_tables import memory_ledger
from tests.support.workflow import START

REPLY = ReplyTo(message_id="message-1", correlation_id="c-1")
REQUEST = AdmissionRequest(
    pipeline="breast-cancer", cause=Cause.UPSTREAM, requested_by="bus-1", requested_at=START, reply=REPLY
)
UNDER_WAY = a_run_record(outcome=None)
ENDED = a_run_record()
ACCEPTED = Admission(start=True, run_id=ENDED.run_id, verdict=Verdict.TRAINED, reason="3 files")


@dataclass
class Answers:
    """Keeps what was sent. ``before``: called before each; what it raises, the broker does."""

    sent: list[TrainingAnswer] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def send(self, answer: TrainingAnswer) -> None:
        self.before()
        self.sent.append(answer)

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        self.send(outcome_of(reply, record))

    @property
    def kinds(self) -> list[AnswerKind]:
        return [answer.kind for answer in self.sent]


@dataclass
class Runs:
    record: RunRecord | None = None

    def run(self, run_id: str) -> RunRecord | None:
        return self.record if self.record is not None and self.record.run_id == run_id else None


@pytest.fixture
def ledger() -> Ledger:
    return memory_ledger()


def a_request(admission: Admission | None = ACCEPTED, rejected: str = "") -> AnswerRequest:
    return AnswerRequest(request=REQUEST, admission=admission, rejected=rejected)


def test_a_run_under_way_is_accepted_and_followed(ledger: Ledger) -> None:
    answers = Answers()

    assert (
        answer_request(a_request(), answers=answers, subscriptions=ledger.outcome_subscriptions, runs=Runs(UNDER_WAY))
        == Done()
    )

    assert answers.kinds == [AnswerKind.ACCEPTED]
    assert ledger.outcome_subscriptions.unanswered() == [(ENDED.run_id, REPLY)]


def test_a_run_that_ended_meanwhile_is_answered_at_once(ledger: Ledger) -> None:
    answers = Answers()

    answer_request(a_request(), answers=answers, subscriptions=ledger.outcome_subscriptions, runs=Runs(ENDED))

    assert answers.kinds == [AnswerKind.ACCEPTED, AnswerKind.OUTCOME]
    assert answers.sent[1].outcome is Outcome.NOT_PROMOTED
    assert ledger.outcome_subscriptions.unanswered() == []


def test_what_leads_to_no_run_is_answered_and_nobody_follows(ledger: Ledger) -> None:
    answers = Answers()
    unchanged = replace(ACCEPTED, start=False, verdict=Verdict.UNCHANGED)
    quarantined = replace(unchanged, verdict=Verdict.QUARANTINED)

    for asked in (a_request(unchanged), a_request(quarantined), a_request(None, "the hub is away")):
        answer_request(asked, answers=answers, subscriptions=ledger.outcome_subscriptions, runs=Runs(ENDED))

    assert answers.kinds == [AnswerKind.ALREADY_TRAINED, AnswerKind.REJECTED, AnswerKind.REJECTED]
    assert answers.sent[0].outcome is Outcome.NOT_PROMOTED
    assert ledger.outcome_subscriptions.unanswered() == []


def test_with_the_broker_away_it_is_followed_all_the_same(ledger: Ledger) -> None:
    def away() -> None:
        raise TransientError("the broker is away")

    with pytest.raises(TransientError):
        answer_request(
            a_request(), answers=Answers(before=away), subscriptions=ledger.outcome_subscriptions, runs=Runs(UNDER_WAY)
        )

    assert ledger.outcome_subscriptions.unanswered() == [(ENDED.run_id, REPLY)]


def test_a_repeat_sends_the_same_again(ledger: Ledger) -> None:
    answers = Answers()

    for _ in range(2):
        answer_request(a_request(), answers=answers, subscriptions=ledger.outcome_subscriptions, runs=Runs(ENDED))

    assert answers.sent[:2] == answers.sent[2:]
    assert ledger.outcome_subscriptions.unanswered() == []


def test_a_request_that_came_otherwise_is_not_answered(ledger: Ledger) -> None:
    answers, asked = Answers(), replace(a_request(), request=replace(REQUEST, reply=None))

    answer_request(asked, answers=answers, subscriptions=ledger.outcome_subscriptions, runs=Runs(ENDED))

    assert answers.sent == []
    assert ledger.outcome_subscriptions.unanswered() == []
