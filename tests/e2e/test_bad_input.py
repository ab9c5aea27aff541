"""Input that nobody can use, at every door of the running app: refused or recorded with the reason, never a crash."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_stack.app_client import AppClient, app_client, blob_created, deadline, land
from local_stack.demo_data import breast_cancer_story
from local_stack.supervisor import Stack
from shared.clients.ledger import Ledger, RecordedArrival
from tests.support.changed_app import ChangedApp

CANARY = "8.25e-canary"

Run = dict[str, Any]


def spoiled(column: str | None, cell: str) -> bytes:
    """Two rows of the first drop; in the second, which is line 3, one cell is another. No column: that of the label."""
    header, first, second, *_ = next(iter(breast_cancer_story().first.values())).decode().splitlines()
    cells = second.split(",")
    cells[header.split(",").index(column) if column else -1] = cell
    return f"{header}\n{first}\n{','.join(cells)}\n".encode()


def without_column(column: str) -> bytes:
    header, *rows = next(iter(breast_cancer_story().first.values())).decode().splitlines()
    at = header.split(",").index(column)
    return "\n".join(",".join(line.split(",")[:at] + line.split(",")[at + 1 :]) for line in [header, *rows]).encode()


# What lands, and what the run's reason must say of it.
SPOILED_FILES = {
    "missing-column": (without_column("mean_area"), "line 1: the header lacks the column 'mean_area'"),
    "text-in-number": (spoiled("mean_area", CANARY), "line 3, column 'mean_area': not a number"),
    "not-a-number": (spoiled("error_area", "NaN"), "line 3, column 'error_area': not a finite number"),
    "no-such-label": (spoiled(None, "8251"), "line 3, column 'label': not one of the labels 0, 1"),
    "no-rows": (spoiled(None, "0").splitlines()[0] + b"\n", "the file has a header, but no rows"),
    "not-text": (b"\xff\xfe\x00canary", "the file is UTF-16 text, not UTF-8; save the file as UTF-8"),
    "other-text": (b"mean_area,\xe9t\xe9\n", "line 1: not UTF-8 text"),
}
NOT_UNDERSTOOD: dict[str, tuple[dict[str, Any], str]] = {
    "no subject": ({"subject": None}, "subject"),
    "no id": ({"id": ""}, "id"),
    "another type": ({"eventType": "Microsoft.Storage.BlobDeleted"}, "type"),
    "a subject of its own": ({"subject": "/somewhere/else"}, "subject"),
    "no data": ({"data": None}, "data"),
    "data of another kind": ({"data": "text"}, "data"),
    "a size that is none": ({"data": {"url": "http://127.0.0.1/a/b/c", "contentLength": "many"}}, "data.contentLength"),
    "an address that is none": ({"topic": "", "data": {"url": "canary"}}, "data.url"),
}


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    """An app with a pipeline per spoiled file, and with two files that are no pipelines."""
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("bad-input") / "app")
    quick = {"quiet_seconds": 1, "longest_wait_seconds": 5}
    for name in (*SPOILED_FILES, "no-data"):
        app.add_pipeline(name, data={"container": name}, settle=quick, train={"expected_seconds": 2})
    app.add_pipeline("misspelt", train={"runing_limit_seconds": 5})
    app.write_pipeline("garbled", "name: garbled\ndata: [unclosed\n")
    with app.deployed(stack), app_client(stack.endpoints) as client:
        yield client


@pytest.fixture(scope="module")
def ledger(stack: Stack) -> Iterator[Ledger]:
    opened = Ledger(stack.endpoints["cloud_storage"]["connection_string"], "edgetrain")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def spoiled_runs(stack: Stack, client: AppClient) -> dict[str, str]:
    """Pipeline -> run, for a file that lands in each; all at the same time."""
    data = breast_cancer_story()
    for name, (content, _) in SPOILED_FILES.items():
        land(stack.endpoints, name, data.holdout_name, data.holdout)
        blob = land(stack.endpoints, name, "landing/part-1.csv", content)
        assert client.deliver(blob_created(stack.endpoints, blob)) == 202
    return {name: client.wait_for_new_run(name, set()) for name in SPOILED_FILES}


@pytest.mark.parametrize("name", SPOILED_FILES)
def test_a_spoiled_file_fails_its_run_and_says_where_without_the_value(
    client: AppClient, ledger: Ledger, spoiled_runs: dict[str, str], name: str
) -> None:
    run = client.wait_for_outcome(spoiled_runs[name])

    assert run["outcome"] == "failed"
    assert run["reason"].startswith("training: landing/part-1.csv")
    assert SPOILED_FILES[name][1] in run["reason"]
    assert "canary" not in json.dumps(run)
    assert "8251" not in run["reason"]
    (arrival,) = arrivals_of(ledger, name)
    assert (arrival.verdict, arrival.run_id) == ("trained", run["run_id"])


def test_an_empty_file_is_recorded_and_not_trained(stack: Stack, client: AppClient, ledger: Ledger) -> None:
    blob = land(stack.endpoints, "breast-cancer", "landing/empty-file.csv", b"")

    assert client.deliver(blob_created(stack.endpoints, blob)) == 202

    assert "is empty (0 bytes)" in reason_outside(ledger, "landing/empty-file.csv")


def test_a_file_outside_every_pipeline_is_recorded_with_the_reason(
    stack: Stack, client: AppClient, ledger: Ledger
) -> None:
    blob = land(stack.endpoints, "nobodys-container", "landing/lost.csv", b"a\n")

    assert client.deliver(blob_created(stack.endpoints, blob)) == 202

    reason = reason_outside(ledger, "landing/lost.csv")
    assert reason.startswith("outside every pipeline: container is nobodys-container, pipelines watch ")


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_an_event_that_is_not_understood_is_recorded_once_and_its_fault_is_logged(
    stack: Stack, client: AppClient, ledger: Ledger, name: str
) -> None:
    """Accepted, because no redelivery could make it better."""
    changes, field = NOT_UNDERSTOOD[name]
    event = {**an_event(stack), "id": f"bad-{name}", **changes}

    for _ in range(2):
        assert client.deliver(event) == 202

    wait_for_log(stack, f"is rejected: event: {field} ", str(event["id"]))
    (kept,) = [found for found in ledger.arrivals.list_rejected().items if found.event_id == event["id"]]
    assert kept.reason.startswith(f"event: {field} ")


FORGED = "x\n2026-05-01 10:00:00,000 INFO function_app FORGED\x1b[2J\x1b]0;owned\x07\r\u2028\u202e"


def test_no_text_of_an_event_forges_a_line_of_the_log_or_acts_on_a_terminal(stack: Stack, client: AppClient) -> None:
    good = an_event(stack)
    subject = f"/blobServices/default/containers/{FORGED}/blobs/{FORGED}"
    marker = uuid.uuid4().hex
    for number, changes in enumerate(
        ({"subject": FORGED}, {"eventType": FORGED}, {"subject": subject}, {"eventTime": FORGED}, {"topic": FORGED})
    ):
        assert client.deliver({**good, "id": f"{marker}-{number}{FORGED}", **changes}) == 202
    answer = client.post(f"/api/pipelines/{quote(FORGED, safe='')}/runs")

    wait_for_log(stack, marker, "is rejected: event: type")
    lines = (stack.state / "logs" / "functions_host.log").read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if "FORGED" in line], "what was sent is told"
    assert [line for line in lines if line.startswith("2026-05-01 10:00:00,000")] == []
    assert answer.status_code == 404
    assert answer.json()["detail"].isprintable()


def test_libraries_are_quiet(stack: Stack, client: AppClient) -> None:
    log = (stack.state / "logs" / "functions_host.log").read_text(encoding="utf-8")

    assert " function_app." in log
    assert re.search(r" (INFO|DEBUG) (azure|azureml|paramiko|msal)\.", log) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b'["text"]', b"\xff\xfe", b"[" * 100_000])
def test_a_delivery_that_is_no_event_is_refused(stack: Stack, client: AppClient, body: bytes) -> None:
    answer = deliver_raw(stack, body)

    assert answer.status_code == 400
    assert_no_traceback(answer)


@pytest.mark.parametrize(
    "time",
    [
        "2026-05-01T12:00:00+02:00",
        "2026-05-01t10:00:00z",
        "2026-05-01T10:00:00",
        "2026-05-01T10:00:00.1234567Z",
        "2016-12-31T23:59:60Z",
    ],
)
@pytest.mark.parametrize("cloud", [False, True])
def test_any_time_of_rfc_3339_is_taken(stack: Stack, client: AppClient, ledger: Ledger, time: str, cloud: bool) -> None:
    blob = land(stack.endpoints, "nobodys-container", f"landing/{uuid.uuid4().hex}.csv", b"a\n")
    event = blob_created(stack.endpoints, blob) | {"eventTime": time}
    if cloud:
        names = {"eventType": "type", "eventTime": "time", "topic": "source"}
        event = {names.get(name, name): value for name, value in event.items()} | {"specversion": "1.0"}

    assert deliver_raw(stack, json.dumps([event]).encode()).status_code == 202

    assert reason_outside(ledger, blob.name).startswith("outside every pipeline")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    event=st.dictionaries(
        st.sampled_from(
            ["id", "topic", "subject", "eventType", "eventTime", "data", "dataVersion", "specversion", "time"]
        ),
        st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.dictionaries(st.text(), st.text()),
    )
)
def test_whatever_is_delivered_is_answered_without_a_traceback(stack: Stack, client: AppClient, event: Any) -> None:
    answer = deliver_raw(stack, json.dumps([event]).encode())

    assert answer.status_code == 202, "whatever it is, it has a row"
    assert_no_traceback(answer)


@pytest.mark.parametrize("key", [None, "", "wrong", "a" * 5000])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/pipelines/breast-cancer/runs"), ("GET", "/api/runs?pipeline=digits"), ("GET", "/api/pipelines")],
)
def test_without_the_key_nothing_is_told(
    stack: Stack, client: AppClient, method: str, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"x-functions-key": key}

    answer = requests.request(method, stack.endpoints["functions_host"]["url"] + path, headers=headers, timeout=30)

    assert answer.status_code == 401
    assert not answer.content


@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_its_key_the_webhook_takes_nothing(stack: Stack, client: AppClient, key: str) -> None:
    assert deliver_raw(stack, json.dumps([an_event(stack)]).encode(), key=key).status_code == 401


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
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 5_000, "not JSON"),
        (b"[]", "the body must be a JSON object; known fields: parameters, force, dry_run, reason"),
        (b'{"parameter": {}}', "parameter is unknown; known: parameters, force, dry_run, reason"),
        (b'{"parameters": []}', "parameters must be an object"),
        (b'{"force": "yes"}', "force must be true or false"),
        (b'{"parameters": {"depth": 3}}', "declared: inverse_regularisation"),
        (b'{"parameters": {"inverse_regularisation": "much"}}', "must be of kind float, not str"),
        (b'{"parameters": {"inverse_regularisation": true}}', "must be of kind float, not bool"),
        (b'{"parameters": {"inverse_regularisation": null}}', "must be a string, a number or a boolean"),
        (
            b'{"parameters": {"inverse_regularisation": NaN}}',
            "parameters.inverse_regularisation must be a finite number",
        ),
        (
            b'{"parameters": {"inverse_regularisation": 1e999}}',
            "parameters.inverse_regularisation must be a finite number",
        ),
    ],
)
def test_a_bad_body_is_400_and_says_what_is_wrong(client: AppClient, stack: Stack, body: bytes, told: str) -> None:
    assert_problem(post_raw(stack, body), 400, "bad_request", told)


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
    ("pipeline", "told"),
    [
        ("misspelt", "misspelt.yaml: train.runing_limit_seconds: is not a field that is known"),
        ("garbled", "garbled.yaml: not valid YAML"),
    ],
)
def test_a_broken_pipeline_names_its_fault_and_takes_no_other_down(client: AppClient, pipeline: str, told: str) -> None:
    listed = client.get("/api/pipelines").json()

    assert told in listed["broken"][pipeline]
    assert {"breast-cancer", "digits"} <= {good["name"] for good in listed["pipelines"]}
    assert_problem(client.post(f"/api/pipelines/{pipeline}/runs"), 409, "bad_pipeline", told)
    assert_problem(client.get("/api/runs", pipeline=pipeline), 409, "bad_pipeline", told)


def test_the_host_still_works_and_reported_no_fault_of_its_own(stack: Stack, client: AppClient) -> None:
    assert client.get("/api/health").status_code == 200
    assert "incident" not in (stack.state / "logs" / "functions_host.log").read_text(encoding="utf-8")


def an_event(stack: Stack) -> dict[str, Any]:
    return blob_created(stack.endpoints, land(stack.endpoints, "breast-cancer", "elsewhere/some.csv", b"a\n"))


def deliver_raw(stack: Stack, body: bytes, *, key: str | None = None) -> requests.Response:
    host = stack.endpoints["functions_host"]
    return requests.post(
        f"{host['url']}/runtime/webhooks/EventGrid",
        params={"functionName": "on_data_arrival", "code": host["event_grid_key"] if key is None else key},
        headers={"aeg-event-type": "Notification", "Content-Type": "application/json"},
        data=body,
        timeout=60,
    )


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


def assert_problem(answer: requests.Response, status: int, code: str, told: str) -> None:
    """A problem document (RFC 9457) that says it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["type"]) == (status, f"urn:edgetrain:{code}")
    assert told in body["detail"]
    assert_no_traceback(answer)


def assert_no_traceback(answer: requests.Response) -> None:
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text


def arrivals_of(ledger: Ledger, pipeline: str) -> list[RecordedArrival]:
    """The arrivals of a pipeline once all have a verdict."""
    for _ in deadline(60, f"verdicts on the arrivals of {pipeline}"):
        found = ledger.arrivals.list_arrivals(pipeline).items
        if found and all(arrival.verdict != "joined" for arrival in found):
            return list(found)
    raise AssertionError  # deadline() raises first


def reason_outside(ledger: Ledger, blob: str) -> str:
    (arrival,) = [found for found in ledger.arrivals.list_arrivals(None).items if found.arrival.blob == blob]
    assert arrival.verdict == "outside"
    return arrival.reason


def wait_for_log(stack: Stack, *texts: str) -> None:
    log = stack.state / "logs" / "functions_host.log"
    for _ in deadline(15, f"a line with {texts}"):
        if any(all(text in line for text in texts) for line in log.read_text(encoding="utf-8").splitlines()):
            return
