"""What people decide: each decision says what it leads to, is sent once with who and why, and ends as it ended."""

import json

import pytest

from function_app.api import delivery_models as d
from shared.messages import Outcome, Stage
from tests.integration.command_line.conftest import edgetrain
from tests.support import app_answers as app
from tests.support.answering import Answering

RUN = f"GET /api/runs/{app.RUNNING}"
ROLL_BACK = f"POST /api/targets/hub-vm/pipelines/{app.PIPELINE}/roll-back"


def test_an_approval_says_whose_model_and_is_sent_with_who_and_why(served: Answering) -> None:
    served.answer = app.routes(
        {
            RUN: app.answered(app.running(metrics={"log_loss": 0.0769})),
            f"POST /api/runs/{app.RUNNING}/approve": app.answered(app.decided()),
        }
    )

    ended = edgetrain("approve", app.RUNNING, "--by", "Ada", "--reason", "looks right", "--target", "hub-vm", "--yes")

    assert ended.status == 0
    assert "log_loss 0.0769" in ended.err
    assert "target hub-vm" in ended.err
    assert "looks right" in ended.out
    assert json.loads(served.sent[-1][1]) == {"by": "Ada", "reason": "looks right", "target": "hub-vm"}


def test_fields_that_are_left_out_are_not_sent(served: Answering) -> None:
    served.answer = app.routes(
        {RUN: app.answered(app.running()), f"POST /api/runs/{app.RUNNING}/approve": app.answered(app.decided())}
    )

    assert edgetrain("approve", app.RUNNING, "--yes", "--json").status == 0
    assert json.loads(served.sent[-1][1]) == {}


@pytest.mark.parametrize(("outcome", "status"), [(Outcome.NOT_PROMOTED, 0), (Outcome.FAILED, 0), (Outcome.PROMOTED, 1)])
def test_a_rejection_is_done_when_the_model_did_not_get_there(served: Answering, outcome: Outcome, status: int) -> None:
    said = app.answered(app.decided("rejected"))
    served.answer = lambda method, _path: said if method == "POST" else app.answered(app.running(outcome=outcome))

    assert edgetrain("reject", app.RUNNING, "--reason", "no", "--yes", "--wait").status == status


@pytest.mark.parametrize("command", [("reject", "x"), ("roll-back", "x"), ("retire", "x")])
def test_what_takes_something_away_needs_a_reason(served: Answering, command: tuple[str, str]) -> None:
    assert edgetrain(*command, "--yes").status == 2
    assert served.asked == []


def test_resuming_follows_the_new_attempt(served: Answering) -> None:
    resumed = d.Resumed(run_id=app.RUNNING, resumes=app.FAILED, sentence="it goes on")
    served.answer = app.routes(
        {
            f"GET /api/runs/{app.FAILED}": app.answered(app.failed()),
            f"POST /api/runs/{app.FAILED}/resume": app.answered(resumed, 202),
            RUN: app.answered(app.running(outcome=Outcome.PROMOTED)),
        }
    )

    ended = edgetrain("resume", app.FAILED, "--yes", "--wait", "--json")

    assert ended.status == 0
    assert json.loads(ended.out)["run_id"] == app.RUNNING


def test_rolling_back_finds_the_only_target_and_follows_to_the_end(served: Answering) -> None:
    served.answer = app.routes(
        {
            f"GET /api/pipelines/{app.PIPELINE}": app.answered(app.detail()),
            "GET /api/targets": app.answered(app.targets()),
            ROLL_BACK: app.answered(app.an_action(), 202),
            "GET /api/actions/roll-back-1": app.answered(app.an_action(d.ActionState.DONE, sentence="it is done")),
        }
    )

    ended = edgetrain("roll-back", app.PIPELINE, "--reason", "false alarms", "--to", app.WORSE, "--yes", "--wait")

    sent = dict(zip(served.asked, served.sent, strict=True))
    assert ended.status == 0
    assert "it is done" in ended.out
    said = {"reason": "false alarms", "to": app.WORSE, "instead_of": app.PROMOTED}
    assert json.loads(sent[ROLL_BACK][1]) == said


def test_an_action_that_fails_says_what_is_left(served: Answering) -> None:
    end = app.an_action(d.ActionState.FAILED, left=("restart the VM hub-vm",))
    served.answer = app.routes({"GET /api/actions/roll-back-1": app.answered(end)})

    ended = edgetrain("action", "roll-back-1", "--watch")

    assert ended.status == 1
    assert "restart the VM hub-vm" in ended.out


def test_retiring_says_what_stops(served: Answering) -> None:
    served.answer = app.routes({f"POST /api/pipelines/{app.PIPELINE}/retire": app.answered(app.an_action(), 202)})

    ended = edgetrain("retire", app.PIPELINE, "--reason", "replaced", "--yes")

    assert ended.status == 0
    assert "gets errors" in ended.err
    assert "edgetrain action roll-back-1 --watch" in ended.err


ASKED = {"targets": {"hub-vm": "on hold"}, "roll_outs": {"hub-vm": {"phase": "approval"}}}


def test_a_run_that_waits_for_a_yes_names_the_command_that_says_it(served: Answering) -> None:
    waiting = app.running(stage=Stage.ROLLING_OUT, progress=ASKED)
    looks = [waiting, waiting, app.running(outcome=Outcome.PROMOTED)]
    served.answer = lambda _method, _path: app.answered(looks[min(len(served.asked), len(looks)) - 1])

    ended = edgetrain("run", app.RUNNING, "--watch")

    assert ended.status == 0
    assert ended.err.count(f"edgetrain approve {app.RUNNING}") == 1


def test_targets_and_models(served: Answering) -> None:
    served.answer = app.routes(
        {
            "GET /api/targets": app.answered(app.targets(drifted=True)),
            "GET /api/models": app.answered(d.ModelList(models=(app.a_model(),))),
            f"GET /api/models/{app.PIPELINE}": app.answered(app.a_model()),
            f"GET /api/compare?left={app.WORSE}&right={app.PROMOTED}": app.answered(app.compared()),
        }
    )

    assert "is gone" in edgetrain("targets").out
    assert app.WORSE in edgetrain("targets", app.PIPELINE).out
    assert len(json.loads(edgetrain("targets", app.PIPELINE, "--json").out)["targets"]) == 2
    assert app.PIPELINE in edgetrain("models").out
    assert "champion" in edgetrain("models", app.PIPELINE).out
    assert "rate" in edgetrain("compare", app.WORSE, app.PROMOTED).out
