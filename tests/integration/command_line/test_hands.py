"""Commands that act: they say what they will do, ask, do it once, and end as it ended."""

import json

import pytest

from function_app.api import models as m
from shared.messages import Outcome, Preview, Verdict
from tests.integration.command_line.conftest import edgetrain
from tests.support import app_answers as app
from tests.support.answering import Answering, Reply

STARTED = app.answered(
    m.Accepted(run_id=app.RUNNING, started=True, verdict=Verdict.TRAINED, reason="2 files are trained"), 202
)
START = f"POST /api/pipelines/{app.PIPELINE}/runs"


def test_starting_sends_what_was_asked_for_under_a_key_of_its_own(served: Answering) -> None:
    served.answer = app.routes({START: STARTED})

    ended = edgetrain("start", app.PIPELINE, "--yes", "--parameter", "rate=0.3", "--parameter", "kind=fast", "--json")

    headers, body = served.sent[-1]
    assert ended.status == 0
    assert json.loads(ended.out)["run_id"] == app.RUNNING
    assert json.loads(body)["parameters"] == {"rate": 0.3, "kind": "fast"}
    assert len(headers["idempotency-key"]) == 32


def test_nobody_to_be_asked_means_that_nothing_is_done(served: Answering) -> None:
    ended = edgetrain("start", app.PIPELINE)

    assert ended.status == 2
    assert "--yes" in ended.err
    assert served.asked == []


def test_a_dry_run_asks_nobody_and_changes_nothing(served: Answering) -> None:
    preview = Preview(would_start=True, verdict=Verdict.TRAINED, reason="run x would train on 2 files", blobs=2, size=9)
    served.answer = app.routes({START: app.answered(preview)})

    ended = edgetrain("start", app.PIPELINE, "--dry-run")

    assert ended.status == 0
    assert "2 files" in ended.out
    assert json.loads(served.sent[-1][1])["dry_run"] is True
    assert "idempotency-key" not in served.sent[-1][0]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.PROMOTED, 0), (Outcome.NOT_PROMOTED, 0), (Outcome.FAILED, 1), (Outcome.CANCELLED, 1)],
)
def test_waiting_ends_as_the_run_ends(served: Answering, outcome: Outcome, status: int) -> None:
    ended_run = app.running(outcome=outcome, ended_at=app.NOW)
    served.answer = app.routes({START: STARTED, f"GET /api/runs/{app.RUNNING}": app.answered(ended_run)})

    ended = edgetrain("start", app.PIPELINE, "--yes", "--wait", "--json")

    assert ended.status == status
    assert json.loads(ended.out)["outcome"] == outcome.value


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_key(served: Answering) -> None:
    cut = Reply(status=202, body=b"{", cut=100)
    served.answer = lambda _method, _path: cut if len(served.asked) == 1 else STARTED

    ended = edgetrain("start", app.PIPELINE, "--yes")

    keys = [headers["idempotency-key"] for headers, _ in served.sent]
    assert ended.status == 0
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.parametrize(("code", "command"), [("quarantined", "release"), ("pipeline_retired", "reinstate")])
def test_what_keeps_data_from_training_names_the_command_that_ends_it(
    served: Answering, code: str, command: str
) -> None:
    served.answer = app.routes({START: app.refused(409, code, "it failed 3 times")})

    ended = edgetrain("start", app.PIPELINE, "--yes")

    assert ended.status == 1
    assert f"edgetrain {command} {app.PIPELINE}" in ended.err


def test_cancelling_says_what_it_ends(served: Answering) -> None:
    said = m.Cancelled(run_id=app.RUNNING, sentence="it is being cancelled")
    served.answer = app.routes(
        {
            f"GET /api/runs/{app.RUNNING}": app.answered(app.running()),
            f"POST /api/runs/{app.RUNNING}/cancel": app.answered(said),
        }
    )

    ended = edgetrain("cancel", app.RUNNING, "--yes")

    assert ended.status == 0
    assert "training: running" in ended.err
    assert "it is being cancelled" in ended.out


def test_waiting_for_a_cancelled_run_is_done_when_it_is_cancelled(served: Answering) -> None:
    looks = [app.running(), app.running(outcome=Outcome.CANCELLED)]
    said = app.answered(m.Cancelled(run_id=app.RUNNING, sentence="it is being cancelled"))
    served.answer = lambda method, _path: (
        said if method == "POST" else app.answered(looks[min(len(served.asked), 2) - 1])
    )

    assert edgetrain("cancel", app.RUNNING, "--yes", "--wait").status == 0


def test_releasing_takes_the_beginning_of_a_fingerprint(served: Answering) -> None:
    said = m.Released(released=(), sentence="1 fingerprint may be trained again")
    served.answer = app.routes(
        {
            f"GET /api/pipelines/{app.PIPELINE}": app.answered(app.detail(troubled=True)),
            f"POST /api/pipelines/{app.PIPELINE}/release": app.answered(said),
        }
    )

    assert edgetrain("release", app.PIPELINE, "--fingerprint", "ff", "--yes").status == 2
    assert edgetrain("release", app.PIPELINE, "--fingerprint", "eee", "--yes").status == 0
    assert json.loads(served.sent[-1][1]) == {"fingerprint": "ee" * 32}
