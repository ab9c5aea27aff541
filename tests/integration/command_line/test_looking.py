"""Commands that look: what they ask the app, and what they print."""

import json

from tests.integration.command_line.conftest import KEY, edgetrain
from tests.support import app_answers as app
from tests.support.answering import Answering, Reply


def test_runs_are_listed_and_json_is_what_the_app_sent(served: Answering) -> None:
    served.answer = app.routes({"GET /api/runs": app.answered(app.page(app.promoted(), app.failed(), app.running()))})

    shown, raw = edgetrain("runs"), edgetrain("runs", "--json")

    assert (shown.status, raw.status) == (0, 0)
    assert all(run in shown.out for run in (app.PROMOTED, app.FAILED, app.RUNNING))
    assert [run["run_id"] for run in json.loads(raw.out)["runs"]] == [app.PROMOTED, app.FAILED, app.RUNNING]
    assert served.sent[0][0]["x-functions-key"] == KEY


def test_runs_go_on_to_the_next_page_until_there_are_enough(served: Answering) -> None:
    pages = [app.page(app.promoted(), continuation="more"), app.page(app.failed(), continuation="more still")]
    served.answer = lambda _method, _path: app.answered(pages[min(len(served.asked), 2) - 1])

    ended = edgetrain("runs", app.PIPELINE, "--outcome", "not promoted", "--limit", "2", "--json")

    assert len(json.loads(ended.out)["runs"]) == 2
    assert served.asked == [
        "GET /api/runs?pipeline=breast-cancer&outcome=not_promoted&limit=2",
        "GET /api/runs?pipeline=breast-cancer&outcome=not_promoted&limit=1&continuation=more",
    ]


def test_a_run_is_shown_with_what_it_rests_on(served: Answering) -> None:
    served.answer = app.routes({f"GET /api/runs/{app.PROMOTED}": app.answered(app.promoted())})

    ended = edgetrain("run", app.PROMOTED)

    assert ended.status == 0
    assert all(part in ended.out for part in ("0.0769", "judge.floor", "version 7", app.ENDPOINT, "114 rows"))
    assert f"edgetrain score {app.PIPELINE} FILE" in ended.err


def test_watching_follows_to_the_end_and_says_each_change_once(served: Answering) -> None:
    looks = [
        app.running(),
        app.running(),
        app.running(progress={"phase": "finalizing"}),
        app.failed(run_id=app.RUNNING),
    ]
    served.answer = lambda _method, _path: app.answered(looks[min(len(served.asked), len(looks)) - 1])

    ended = edgetrain("run", app.RUNNING, "--watch", "--json")

    assert ended.status == 1
    assert json.loads(ended.out)["outcome"] == "failed"
    assert ended.err.count("training: running") == 1
    assert ended.err.count("training: finalizing") == 1


def test_an_app_that_restarts_is_waited_for(served: Answering) -> None:
    answers = [
        app.answered(app.running()),
        Reply(status=502),
        app.refused(503, "try_again_later", "later"),
        app.answered(app.promoted(run_id=app.RUNNING)),
    ]
    served.answer = lambda _method, _path: answers[min(len(served.asked), len(answers)) - 1]

    ended = edgetrain("run", app.RUNNING, "--watch")

    assert ended.status == 0
    assert "promoted" in ended.out


def test_why_says_the_sentence_first(served: Answering) -> None:
    served.answer = app.routes({"GET /api/why": app.answered(app.a_why(app.promoted()))})

    ended = edgetrain("why", app.PIPELINE, "landing/Mühle & co.csv")

    assert ended.out.splitlines()[0] == f"landing/part-1.csv was trained in run {app.PROMOTED}, which was promoted"
    assert served.asked == ["GET /api/why?pipeline=breast-cancer&blob=landing%2FM%C3%BChle+%26+co.csv"]


def test_pipelines_are_listed_and_shown(served: Answering) -> None:
    served.answer = app.routes(
        {
            "GET /api/pipelines": app.answered(app.every_pipeline()),
            f"GET /api/pipelines/{app.PIPELINE}": app.answered(app.detail(app.promoted(), troubled=True)),
        }
    )

    every, one = edgetrain("pipelines"), edgetrain("pipelines", app.PIPELINE)

    assert all(name in every.out for name in (app.PIPELINE, "digits", "garbled", "old"))
    assert all(part in one.out for part in ("unreachable", "ee" * 32, app.PROMOTED))


def test_names_that_no_address_can_hold_are_refused_before_anything_is_sent(served: Answering) -> None:
    assert edgetrain("run", "..").status == 2
    assert edgetrain("run", "").status == 2
    assert served.asked == []


def test_odd_characters_in_names_arrive_as_they_are(served: Answering) -> None:
    served.answer = app.routes({})

    edgetrain("run", "a/b?c#d%e ü")

    assert served.asked[0] == "GET /api/runs/a%2Fb%3Fc%23d%25e%20%C3%BC"


def test_the_page_is_a_link_on_the_apps_own_host(served: Answering) -> None:
    ticket = {"address": "/ui/sign-in?ticket=abc", "key": "ops", "expires_at": "2026-05-01T10:00:00Z"}
    served.answer = app.routes({"POST /api/page/tickets": app.answered(ticket)})

    shown, raw = edgetrain("page"), edgetrain("page", "--json")

    assert (shown.status, shown.out.strip()) == (0, f"{served.url}/ui/sign-in?ticket=abc")
    assert json.loads(raw.out)["address"] == f"{served.url}/ui/sign-in?ticket=abc"
    assert served.sent[0][0]["x-functions-key"] == KEY


def test_a_link_that_leads_elsewhere_is_not_shown(served: Answering) -> None:
    served.answer = app.routes({"POST /api/page/tickets": app.answered({"address": "@elsewhere.example/ui"})})

    ended = edgetrain("page", "--open")

    assert ended.status == 1
    assert "elsewhere" not in ended.out + ended.err
