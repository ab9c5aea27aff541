"""Whatever comes in, the answer is clear, nothing is lost, and nobody sees a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_stack.app_client import AppClient, blob_created, land
from local_stack.demo_data import breast_cancer_story, digits_story
from local_stack.supervisor import Stack
from shared.clients.ledger import Ledger

RUNS = "/api/pipelines/breast-cancer/runs"
SECRET_VALUE = "c4n4ry"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def assert_problem(answer: requests.Response, status: int, says: str) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    assert says in answer.json()["detail"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("key", ["", "wrong"])
@pytest.mark.parametrize("path", ["/api/runs?pipeline=digits", "/api/pipelines", "/api/runs/x-1-1"])
def test_a_missing_or_wrong_key_is_401(stack: Stack, path: str, key: str) -> None:
    headers = {"x-functions-key": key} if key else {}

    assert requests.get(stack.endpoints["functions_host"]["url"] + path, headers=headers, timeout=30).status_code == 401


def test_health_needs_no_key(stack: Stack) -> None:
    answer = requests.get(stack.endpoints["functions_host"]["url"] + "/api/health", timeout=30)

    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/api/pipelines/nobody/runs", None, 404, "there is no pipeline 'nobody'; known: breast-cancer, digits"),
        (RUNS, {"parameters": {"depth": 3}}, 400, "there is no 'depth'; declared: inverse_regularisation"),
        (RUNS, {"parameters": {"inverse_regularisation": "much"}}, 400, "inverse_regularisation must be of kind float"),
        (RUNS, {"parameters": []}, 400, "parameters must be an object"),
        (RUNS, {"force": True}, 400, "nothing else is known"),
        (RUNS, [1], 400, "the body must be"),
    ],
)
def test_a_bad_request_names_the_field(app: AppClient, path: str, body: Any, status: int, says: str) -> None:
    assert_problem(app.post(path, body), status, says)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/runs/digits-000000000000-1", 404, "there is no run"),
        ("/api/runs/x", 404, "there is no run"),
        ("/api/runs", 400, "query parameter pipeline is missing"),
        ("/api/runs?pipeline=nobody", 404, "there is no pipeline 'nobody'"),
    ],
)
def test_what_is_not_there_is_said(app: AppClient, path: str, status: int, says: str) -> None:
    assert_problem(app.get(path), status, says)


@given(body=JSON)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_body_gets_a_problem_or_a_run(app: AppClient, body: Any) -> None:
    # The parameter is one that the pipeline does not declare, so that no generated body starts a training.
    answer = app.post(RUNS, {"parameters": {"undeclared": body}})

    assert_problem(answer, 400, "parameters")


@given(event=JSON | st.fixed_dictionaries({"id": JSON, "subject": JSON, "eventType": JSON, "data": JSON}))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_event_is_taken_or_refused_but_never_breaks_the_host(app: AppClient, event: Any) -> None:
    status = app.deliver(event) if isinstance(event, dict) else app.deliver({"data": event})

    # 202: understood or set aside; 400: no event at all; 500 would make Event Grid send it for 24 hours.
    assert status in {202, 400}
    assert app.get("/api/health").status_code == 200


def test_an_arrival_outside_every_pipeline_is_recorded_with_its_reason(stack: Stack, app: AppClient) -> None:
    blob = land(stack.endpoints, "breast-cancer", "raw/part-1.csv", b"a,b\n1,2\n")
    event = blob_created(stack.endpoints, blob)

    assert app.deliver(event, event) in {200, 202}

    ledger = Ledger(stack.endpoints["cloud_storage"]["connection_string"], "edgetrain")
    recorded = [entry for entry in ledger.arrivals.list_arrivals(None) if entry.arrival.event_id == event["id"]]
    ledger.close()
    assert [entry.verdict for entry in recorded] == ["outside"], "delivered twice, recorded once"
    assert "prefix is raw/, pipelines watch landing/" in recorded[0].reason


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text", lambda csv: csv.replace(csv.split(b"\n")[3].split(b",")[1], SECRET_VALUE.encode(), 1), "mean_texture"),
        ("column", lambda csv: csv.replace(b"mean_radius", b"radius", 1), "mean_radius"),
        ("cut", lambda csv: csv[: csv.index(b"\n", 500) + 20], "line"),
    ],
)
def test_a_bad_file_fails_the_run_with_file_and_column_and_without_the_value(
    stack: Stack, app: AppClient, name: str, content: Any, says: str
) -> None:
    data = breast_cancer_story()
    land(stack.endpoints, "breast-cancer", data.holdout_name, data.holdout)
    path = f"landing/bad-{name}.csv"
    land(stack.endpoints, "breast-cancer", path, content(data.second["landing/part-3.csv"]))
    try:
        answer = app.post(RUNS)
        assert answer.status_code == 202, answer.text
        run = app.wait_for_outcome(answer.json()["run_id"])
    finally:
        remove(stack, "breast-cancer", path)

    assert (run["outcome"], run["stage"]) == ("failed", "training")
    assert path in run["reason"]
    assert says in run["reason"]
    assert SECRET_VALUE not in json.dumps(run)
    assert "Traceback" not in run["reason"]


def test_an_empty_container_is_a_clear_answer(stack: Stack, app: AppClient) -> None:
    data = digits_story()
    land(stack.endpoints, "digits", data.holdout_name, data.holdout)
    landed = [entry for entry in names(stack, "digits") if entry.startswith("landing/")]
    kept = {entry: read(stack, "digits", entry) for entry in landed}
    for entry in landed:
        remove(stack, "digits", entry)
    try:
        assert_problem(app.post("/api/pipelines/digits/runs"), 409, "digits")
    finally:
        for entry, content in kept.items():
            land(stack.endpoints, "digits", entry, content)


def hub(stack: Stack) -> Any:
    from azure.storage.blob import BlobServiceClient

    ends = stack.endpoints["hub_storage"]
    return BlobServiceClient.from_connection_string(ends["connection_string"], api_version=ends["api_version"])


def names(stack: Stack, container: str) -> list[str]:
    with hub(stack) as service:
        return [blob.name for blob in service.get_container_client(container).list_blobs()]


def read(stack: Stack, container: str, name: str) -> bytes:
    with hub(stack) as service:
        content: bytes = service.get_blob_client(container, name).download_blob().readall()
        return content


def remove(stack: Stack, container: str, name: str) -> None:
    with hub(stack) as service:
        service.get_blob_client(container, name).delete_blob()


def test_no_answer_of_this_module_left_a_traceback_in_a_reason(stack: Stack) -> None:
    text = Path(stack.state / "logs" / "functions_host.log").read_text(encoding="utf-8")

    assert SECRET_VALUE not in text
