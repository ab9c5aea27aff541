from typing import Any

from orchestrations.request_run import request_run
from shared.errors import Code
from shared.messages import Admission, AdmissionRequest, Cause, Verdict
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


def test_the_caller_is_told_before_the_run_begins_and_not_the_whole_request() -> None:
    told = story(value(GRANTED)).context.statuses[0]["admission"]

    assert (told["start"], told["run_id"], told["reason"]) == (True, RUN.run_id, "3 files")
    assert "run" not in told


def test_what_was_trained_already_is_not_started() -> None:
    played = story(value(Admission(start=False, run_id="x-1", verdict=Verdict.UNCHANGED, reason="nothing changed")))

    assert played.asked == ["admit_run"]
    assert played.context.statuses[0]["admission"]["run_id"] == "x-1"


def test_a_refusal_and_a_failure_are_answers() -> None:
    refused = story(refusal(Code.BAD_PIPELINE, "train.folder is missing"))
    failed = story(Exception("tables are down\nstack"))

    assert refused.output == {"rejected": "bad_pipeline", "reason": "train.folder is missing"}
    assert failed.output == {"failed": "tables are down"}
