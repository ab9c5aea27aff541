"""Requests that nobody can answer, at the running app's HTTP API: refused with a problem document, never a crash."""

import json
from collections.abc import Iterator

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_stack.app_client import AppClient, app_client
from local_stack.supervisor import Stack
from tests.support.bad_input import assert_no_traceback
from tests.support.changed_app import ChangedApp


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    """An app with a pipeline that has no data, and with two files that are no pipelines."""
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("bad-requests") / "app")
    app.add_pipeline("no-data", data={"container": "no-data"})
    app.add_pipeline("misspelt", train={"runing_limit_seconds": 5})
    app.write_pipeline("garbled", "name: garbled\ndata: [unclosed\n")
    with app.deployed(stack), app_client(stack.endpoints) as client:
        yield client


@pytest.mark.parametrize("key", [None, "", "wrong", "a" * 5000])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/pipelines/breast-cancer/runs"), ("GET", "/api/runs?pipeline=digits"), ("GET", "/api/pipelines")],
)
def test_without_the_key_nothing_is_answered(
    stack: Stack, client: AppClient, method: str, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"x-functions-key": key}

    answer = requests.request(method, stack.endpoints["functions_host"]["url"] + path, headers=headers, timeout=30)

    assert answer.status_code == 401
    assert not answer.content


@pytest.mark.parametrize("path", ["/api/pipelines/no-such/runs", "/api/pipelines/%2e%2e%2fetc/runs"])
def test_an_unknown_pipeline_is_404_and_names_the_known_ones(client: AppClient, path: str) -> None:
    answer = client.post(path)

    assert_problem(answer, 404, "unknown_pipeline", "digits")


@pytest.mark.parametrize(
    "path", ["/api/runs/no-such-run", "/api/runs/%00", "/api/runs/" + "x" * 2000, "/api/runs/a%2Fb"]
)
def test_an_unknown_run_is_404(client: AppClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert_no_traceback(answer)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 5_000, "not JSON"),
        (b"[]", "known fields: parameters, force, dry_run, by, reason"),
        (b'{"parameter": {}}', "parameter is unknown"),
        (b'{"parameters": []}', "parameters must"),
        (b'{"force": "yes"}', "force must"),
        (b'{"parameters": {"depth": 3}}', "declared: inverse_regularisation"),
        (b'{"parameters": {"inverse_regularisation": "much"}}', "float, not str"),
        (b'{"parameters": {"inverse_regularisation": true}}', "float, not bool"),
        (b'{"parameters": {"inverse_regularisation": null}}', "parameters.inverse_regularisation"),
        (
            b'{"parameters": {"inverse_regularisation": NaN}}',
            "a finite number",
        ),
        (
            b'{"parameters": {"inverse_regularisation": 1e999}}',
            "a finite number",
        ),
    ],
)
def test_a_bad_body_is_400_and_says_what_is_wrong(client: AppClient, stack: Stack, body: bytes, expected: str) -> None:
    assert_problem(post_raw(stack, body), 400, "bad_request", expected)


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}"])
@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain; charset=utf-16", "application/xml"])
def test_a_body_is_read_alike_whatever_its_mark_and_content_type(
    client: AppClient, stack: Stack, body: bytes, content_type: str
) -> None:
    """Sent to a pipeline without data: what is understood is refused for that, with 409."""
    assert post_raw(stack, body, pipeline="no-data", content_type=content_type).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"force": true, "force": false}', "force"),
        (b'{"parameters": {"inverse_regularisation": "\\ud800"}}', "parameters.inverse_regularisation"),
        (b'{"parameters": {"inverse_regularisation": Infinity}}', "parameters.inverse_regularisation"),
        ('{"force": true}'.encode("utf-16"), None),
        (b"[" * 150 + b"]" * 150, None),
    ],
)
def test_what_readers_could_read_differently_is_400_and_names_its_field(
    client: AppClient, stack: Stack, body: bytes, field: str | None
) -> None:
    answer = post_raw(stack, body)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_long_body_is_413_and_says_how_long_it_may_be(client: AppClient, stack: Stack) -> None:
    assert_problem(post_raw(stack, b"[" * 100_000), 413, "too_large", "at most 8192 are taken")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=40)
    | JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps({"parameters": {"inverse_regularisation": value}}).encode())
    | JSON.map(lambda value: json.dumps({"parameters": {"x": value}}).encode())
)
def test_no_body_gets_a_traceback(stack: Stack, client: AppClient, body: bytes) -> None:
    """Sent to a pipeline without data, so that what happens to be right is refused as well, with 409."""
    answer = post_raw(stack, body, pipeline="no-data")

    assert answer.status_code in {400, 409}, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert_no_traceback(answer)


@pytest.mark.parametrize(
    ("pipeline", "expected"),
    [
        ("misspelt", "misspelt.yaml: train.runing_limit_seconds: "),
        ("garbled", "garbled.yaml: not valid YAML"),
    ],
)
def test_a_broken_pipeline_names_its_fault_and_takes_no_other_down(
    client: AppClient, pipeline: str, expected: str
) -> None:
    listed = client.get("/api/pipelines").json()

    assert expected in listed["broken"][pipeline]
    assert {"breast-cancer", "digits"} <= {good["name"] for good in listed["pipelines"]}
    assert_problem(client.post(f"/api/pipelines/{pipeline}/runs"), 409, "bad_pipeline", expected)
    assert_problem(client.get("/api/runs", pipeline=pipeline), 409, "bad_pipeline", expected)


def test_the_host_still_works_and_reported_no_fault_of_its_own(stack: Stack, client: AppClient) -> None:
    assert client.get("/api/health").status_code == 200
    assert "incident" not in (stack.state / "logs" / "functions_host.log").read_text(encoding="utf-8")


def post_raw(
    stack: Stack, body: bytes, *, pipeline: str = "breast-cancer", content_type: str = "application/json"
) -> requests.Response:
    host = stack.endpoints["functions_host"]
    return requests.post(
        f"{host['url']}/api/pipelines/{pipeline}/runs",
        headers={"x-functions-key": host["function_key"], "Content-Type": content_type},
        data=body,
        timeout=60,
    )


def assert_problem(answer: requests.Response, status: int, code: str, expected: str) -> None:
    """A problem document (RFC 9457) that says it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["type"]) == (status, f"urn:edgetrain:{code}")
    assert expected in body["detail"]
    assert_no_traceback(answer)
