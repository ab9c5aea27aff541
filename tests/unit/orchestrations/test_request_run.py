from dataclasses import replace
from typing import Any

import pytest

from orchestrations.progress import gave_up
from orchestrations.request_run import ANSWER_PAUSE, ANSWER_ROUNDS, request_run
from shared.errors import Code
from shared.messages import Admission, AdmissionRequest, AnswerRequest, Cause, Done, ReplyTo, Verdict
from shared.values.wire import from_wire
from tests.support.builders import a_run_request
from tests.support.workflow import START, Played, play, refusal, value

REQUEST = AdmissionRequest(pipeline="breast-cancer", cause=Cause.OPERATOR, requested_by="http-1", requested_at=START)
RUN = a_run_request(requested_by="http-1")
GRANTED = Admission(start=True, run_id=RUN.run_id, verdict=Verdict.TRAINED, reason="3 files", run=RUN)


def story(admission: Any) -> Played:
    return play(request_run, REQUEST, answers={"admit_run": admission, "retrain_model": {"outcome": "promoted"}})


def test_a_granted_run_is_started_under_its_own_id() -> None:
    played = story(value(GRANTED))

    assert played.asked == ["admit_run", "retrain_model"]
    assert played.commands["retrain_model"][0]["instance_id"] == RUN.run_id
    assert played.output == {"outcome": "promoted"}


def test_the_caller_is_answered_before_the_run_begins_and_not_with_the_whole_request() -> None:
    shown = story(value(GRANTED)).context.statuses[0]["admission"]

    assert (shown["start"], shown["run_id"], shown["reason"]) == (True, RUN.run_id, "3 files")
    assert "run" not in shown


def test_what_was_trained_already_is_not_started() -> None:
    played = story(value(Admission(start=False, run_id="x-1", verdict=Verdict.UNCHANGED, reason="nothing changed")))

    assert played.asked == ["admit_run"]
    assert played.context.statuses[0]["admission"]["run_id"] == "x-1"


def test_a_refusal_and_a_failure_are_answers() -> None:
    refused = story(refusal(Code.BAD_PIPELINE, "train.folder is missing"))
    failed = story(Exception("tables are down\nstack"))

    assert refused.output == {"rejected": "bad_pipeline", "reason": "train.folder is missing"}
    assert failed.output == {"failed": "tables are down"}


BY_MESSAGE = replace(REQUEST, cause=Cause.UPSTREAM, requested_by="bus-1", reply=ReplyTo(message_id="message-1"))
NOTHING_NEW = Admission(start=False, run_id="x-1", verdict=Verdict.UNCHANGED, reason="nothing changed")


def answered_story(admission: Any, answer: Any = None) -> Played:
    answers = {"admit_run": admission, "retrain_model": {"outcome": "promoted"}}
    return play(request_run, BY_MESSAGE, answers=answers | {"answer_request": answer or value(Done())})


def answers_of(played: Played) -> list[AnswerRequest]:
    return [from_wire(AnswerRequest, command) for command in played.commands["answer_request"]]


def test_a_message_is_answered_before_its_run_begins_and_without_the_whole_run() -> None:
    played = answered_story(value(GRANTED))

    assert played.asked == ["admit_run", "answer_request", "retrain_model"]
    assert answers_of(played) == [AnswerRequest(request=BY_MESSAGE, admission=replace(GRANTED, run=None))]
    assert played.output == {"outcome": "promoted"}


@pytest.mark.parametrize(
    ("admission", "rejected"),
    [
        (refusal(Code.NO_DATA, "the container is empty"), "the container is empty"),
        (Exception("tables are down\nstack"), gave_up(Exception("tables are down"))),
    ],
)
def test_a_message_that_leads_to_no_admission_is_answered_with_the_reason(admission: Any, rejected: str) -> None:
    (answer,) = answers_of(answered_story(admission))

    assert answer.admission is None
    assert answer.rejected.startswith(rejected)


def test_an_answer_that_cannot_be_sent_does_not_stop_the_run() -> None:
    for trouble in (Exception("the broker is away"), refusal(Code.BAD_CONFIGURATION, "create training-results")):
        played = answered_story(value(GRANTED), trouble)

        assert played.asked == ["admit_run", "answer_request", "retrain_model"]
        assert played.output == {"outcome": "promoted"}


def test_where_no_run_will_tell_the_outcome_the_answer_is_tried_again_later() -> None:
    played = answered_story(value(NOTHING_NEW), [Exception("away"), Exception("away"), value(Done())])

    assert played.asked == ["admit_run", "answer_request", "answer_request", "answer_request"]
    assert [timer.due for timer in played.context.timers] == [START + ANSWER_PAUSE, START + 2 * ANSWER_PAUSE]
    assert played.output["admission"]["run_id"] == "x-1"


def test_nobody_is_answered_for_ever() -> None:
    played = answered_story(value(NOTHING_NEW), Exception("away"))

    assert played.asked.count("answer_request") == ANSWER_ROUNDS
    assert len(played.context.timers) == ANSWER_ROUNDS - 1
    assert played.output["admission"]["run_id"] == "x-1"
