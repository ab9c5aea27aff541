from dataclasses import replace

import pytest

from shared.messages import (
    Admission,
    AdmissionRequest,
    AnswerRequest,
    Cause,
    Outcome,
    ReplyTo,
    Stage,
    Verdict,
)
from shared.wire_contracts.training_answers import (
    LONGEST_MESSAGE_ID,
    AnswerKind,
    answer_to,
    message_id,
    outcome_is_awaited,
    outcome_of,
    rejection,
)
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

REPLY = ReplyTo(message_id="message-1", correlation_id="assay-17", reply_to="lab")
RECORD = a_run_record(
    stage=Stage.DONE, metrics={"accuracy": 0.97}, model="breast-cancer", version="3", champion_run_id="x-1"
)
REQUEST = AdmissionRequest(
    pipeline="breast-cancer", cause=Cause.UPSTREAM, requested_by="bus-1", requested_at=START, reply=REPLY
)


def an_admission(verdict: Verdict, *, start: bool = False, run_id: str | None = RECORD.run_id) -> Admission:
    return Admission(start=start, run_id=run_id, verdict=verdict, reason="because")


@pytest.mark.parametrize(
    ("admission", "kind", "followed"),
    [
        (an_admission(Verdict.TRAINED, start=True), AnswerKind.ACCEPTED, True),
        (an_admission(Verdict.TRAINED), AnswerKind.ACCEPTED, True),
        (an_admission(Verdict.UNCHANGED), AnswerKind.ALREADY_TRAINED, False),
        (an_admission(Verdict.UNCHANGED, run_id=None), AnswerKind.ALREADY_TRAINED, False),
        (an_admission(Verdict.QUARANTINED), AnswerKind.REJECTED, False),
        (an_admission(Verdict.REJECTED, run_id=None), AnswerKind.REJECTED, False),
    ],
)
def test_an_admission_is_answered_in_the_words_of_upstream_systems(
    admission: Admission, kind: AnswerKind, followed: bool
) -> None:
    answer = answer_to(AnswerRequest(request=REQUEST, admission=admission), REPLY, None)

    assert (answer.kind, answer.reason, answer.run_id) == (kind, "because", admission.run_id)
    assert (answer.request_id, answer.correlation_id, answer.reply_to) == ("message-1", "assay-17", "lab")
    assert answer.outcome is None
    assert outcome_is_awaited(admission) is followed


def test_what_was_trained_already_is_named_with_how_it_ended() -> None:
    answer = answer_to(AnswerRequest(request=REQUEST, admission=an_admission(Verdict.UNCHANGED)), REPLY, RECORD)

    assert (answer.kind, answer.reason, answer.run_id) == (AnswerKind.ALREADY_TRAINED, "because", RECORD.run_id)
    assert (answer.outcome, answer.metrics) == (Outcome.NOT_PROMOTED, {"accuracy": 0.97})


def test_an_outcome_tells_what_came_of_the_run() -> None:
    answer = outcome_of(REPLY, RECORD)

    assert (answer.kind, answer.run_id, answer.reason) == (AnswerKind.OUTCOME, RECORD.run_id, "the champion stays")
    assert (answer.outcome, answer.stage, answer.metrics) == (Outcome.NOT_PROMOTED, Stage.DONE, {"accuracy": 0.97})
    assert (answer.model, answer.version, answer.champion_run_id) == ("breast-cancer", "3", "x-1")


def test_a_request_without_an_admission_is_rejected_with_the_reason() -> None:
    answer = answer_to(AnswerRequest(request=REQUEST, rejected="the hub is away"), REPLY, None)

    assert (answer.kind, answer.reason, answer.run_id) == (AnswerKind.REJECTED, "the hub is away", None)


def test_a_reason_of_any_length_fits_into_a_message() -> None:
    assert len(rejection(REPLY, "p", "word " * 100_000).reason) == 2000


def test_the_correlation_id_falls_back_to_the_message_id() -> None:
    assert rejection(replace(REPLY, correlation_id=""), "p", "r").correlation_id == "message-1"


def test_a_repeat_has_the_same_message_id_and_another_answer_another_one() -> None:
    assert (
        message_id(rejection(REPLY, "p", "one")) == message_id(rejection(REPLY, "p", "other")) == "message-1-rejected"
    )
    assert message_id(outcome_of(REPLY, RECORD)) == "message-1-outcome"


def test_a_long_message_id_still_leads_to_one_that_the_service_takes() -> None:
    one, other = (rejection(replace(REPLY, message_id=last.rjust(128, "m")), "p", "r") for last in "ab")

    assert len(message_id(one)) <= LONGEST_MESSAGE_ID
    assert message_id(one) != message_id(other)
