"""Questions to the real app, with what its ledger and its hub hold."""

import json
from typing import Any

import pytest
import requests

from tests.integration.http_api.conftest import (
    BROKEN,
    EMPTY,
    HOLDOUT,
    PIPELINE,
    QUARANTINED,
    STRAY,
    TRAINED,
    WAITING,
    App,
)


def get(app: App, path: str, **params: str) -> requests.Response:
    return app.host.call("GET", path, headers=app.key, params=params)


def post(app: App, path: str, body: Any = None, **headers: str) -> requests.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    return app.host.call("POST", path, headers=app.key | headers, data=content)


def problem(answer: requests.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["type"]) == (status, f"urn:edgetrain:{code}")
    return str(body["detail"])


def test_pipelines_and_what_is_broken(app: App) -> None:
    listed = get(app, "/api/pipelines").json()

    assert [pipeline["name"] for pipeline in listed["pipelines"]] == [PIPELINE, EMPTY]
    assert list(listed["broken"]) == [BROKEN]
    shown = get(app, f"/api/pipelines/{PIPELINE}").json()
    assert (shown["window"]["arrivals"], shown["champion"]) == (1, None)
    assert app.run_id in [run["run_id"] for run in shown["runs"]]
    assert "not valid YAML" in problem(get(app, f"/api/pipelines/{BROKEN}"), 409, "bad_pipeline")
    assert "known: breast-cancer, digits" in problem(get(app, "/api/pipelines/none"), 404, "unknown_pipeline")


def test_runs_come_in_pages_and_by_filter(app: App) -> None:
    found = get(app, "/api/runs", outcome="not_promoted", since="2026-05-01", limit="1").json()

    assert [run["run_id"] for run in found["runs"]] == [app.run_id]
    assert get(app, f"/api/runs/{app.run_id}").json()["reason"] == "the champion is better"
    assert "the list of runs" in problem(get(app, "/api/runs/none"), 404, "unknown_run")


def test_arrivals_with_their_verdicts(app: App) -> None:
    first = get(app, f"/api/pipelines/{PIPELINE}/arrivals", limit="2").json()
    rest = get(app, f"/api/pipelines/{PIPELINE}/arrivals", continuation=first["continuation"]).json()

    verdicts = sorted(entry["verdict"] for entry in first["arrivals"] + rest["arrivals"])
    assert (verdicts, rest["continuation"]) == (["duplicate", "joined", "trained"], None)
    outside = get(app, "/api/arrivals", kind="outside").json()
    assert [entry["blob"] for entry in outside["arrivals"]] == [STRAY]
    rejected = get(app, "/api/arrivals", kind="rejected").json()
    assert ["data" in event["reason"] for event in rejected["rejected"]] == [True]


@pytest.mark.parametrize(
    ("blob", "verdict", "says"),
    [
        (TRAINED, "trained", "not promoted"),
        (WAITING, "joined", "closes when"),
        (STRAY, "outside", "landing/"),
        (HOLDOUT, None, "is the hold-out"),
        ("landing/none.csv", None, "landing/none.csv in container breast-cancer"),
        ("landing/../../x.csv", None, "there is no blob"),
        ("landing/\x00 ?#%ü😀.csv", None, "there is no blob"),
    ],
)
def test_why(app: App, blob: str, verdict: str | None, says: str) -> None:
    found = get(app, "/api/why", pipeline=PIPELINE, blob=blob)

    assert found.status_code == 200, found.text
    assert (found.json()["verdict"], says in found.json()["sentence"]) == (verdict, True), found.text


def test_what_was_trained_already_is_not_started_and_names_its_run(app: App) -> None:
    answers = [post(app, f"/api/pipelines/{PIPELINE}/runs", **{"Idempotency-Key": "one"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.headers["Location"] for answer in answers} == {f"/api/runs/{app.run_id}"}
    assert answers[0].json()["verdict"] == "unchanged"
    again = post(app, f"/api/pipelines/{PIPELINE}/runs", {"reason": "another"}, **{"Idempotency-Key": "one"})
    assert "new key" in problem(again, 422, "idempotency_key_reused")


def test_a_dry_run_says_what_would_happen(app: App) -> None:
    def would(**body: Any) -> dict[str, Any]:
        answer = post(app, f"/api/pipelines/{PIPELINE}/runs", {"dry_run": True, **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert (would()["would_start"], would()["run_id"]) == (False, app.run_id)
    assert would(parameters={"inverse_regularisation": 0.123})["would_start"]
    assert would(force=True)["would_start"]
    assert [run["run_id"] for run in get(app, "/api/runs", pipeline=PIPELINE).json()["runs"]] == [app.run_id]


def test_without_data_nothing_starts_and_the_remedy_is_named(app: App) -> None:
    assert "hold-out digits/holdout" in problem(post(app, f"/api/pipelines/{EMPTY}/runs"), 409, "no_data")


def test_what_is_quarantined_is_released(app: App) -> None:
    path = f"/api/pipelines/{PIPELINE}/release"
    assert "held back: ee" in problem(post(app, path, {"fingerprint": "00" * 32}), 404, "unknown_quarantine")

    released = post(app, path, {"fingerprint": QUARANTINED}).json()

    assert [kept["fingerprint"] for kept in released["released"]] == [QUARANTINED]
    assert get(app, f"/api/pipelines/{PIPELINE}").json()["quarantines"] == []


@pytest.mark.parametrize("path", ["/api/runs", "/api/why?pipeline=breast-cancer&blob=x", "/api/openapi.json"])
@pytest.mark.parametrize("key", [{}, {"x-functions-key": "wrong"}])
def test_without_the_key_nothing_is_answered(app: App, path: str, key: dict[str, str]) -> None:
    answer = app.host.call("GET", path, headers=key)

    assert (answer.status_code, answer.content) == (401, b"")


def test_health_is_open_to_everyone(app: App) -> None:
    assert app.host.call("GET", "/api/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs?limit=%zz",
        "/api/runs?limit=%ff",
        "/api/runs?since=%00",
        "/api/runs?continuation=%2e%2e%2f",
        "/api/runs?pipeline=%ed%a0%80",
        "/api/runs?limit=1&limit=2",
        "/api/runs?=",
        "/api/arrivals?kind=%F0%9F%98%80",
        "/api/why?pipeline=breast-cancer&blob=",
    ],
)
def test_a_broken_address_is_a_problem(app: App, path: str) -> None:
    answer = app.host.call("GET", path, headers=app.key)

    assert answer.status_code in {400, 404}, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/api/runs/%00", "/api/runs/%zz", "/api/runs/%ff%fe", "/api/runs/%0A", "/api/pipelines/%2e%2e%2f"]
)
def test_a_broken_path_is_a_problem(app: App, path: str) -> None:
    answer = app.host.call("GET", path, headers=app.key)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_host_reported_no_fault_of_its_own(app: App) -> None:
    assert "incident" not in app.host.log.read_text(encoding="utf-8")
