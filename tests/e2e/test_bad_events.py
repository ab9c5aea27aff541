"""Events that nobody can use, at the running app's webhook: refused or recorded with the reason, never a crash."""

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
from local_stack.supervisor import Stack
from shared.clients.ledger import Ledger
from tests.support.bad_input import assert_no_traceback, reason_outside

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
def client(stack: Stack) -> Iterator[AppClient]:
    with app_client(stack.endpoints) as client:
        yield client


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
    assert [line for line in lines if "FORGED" in line], "what was sent is logged"
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

    assert "nobodys-container" in reason_outside(ledger, blob.name)


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


@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_its_key_the_webhook_takes_nothing(stack: Stack, client: AppClient, key: str) -> None:
    assert deliver_raw(stack, json.dumps([an_event(stack)]).encode(), key=key).status_code == 401


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


def wait_for_log(stack: Stack, *texts: str) -> None:
    log = stack.state / "logs" / "functions_host.log"
    for _ in deadline(120, f"a line with {texts}"):
        if any(all(text in line for text in texts) for line in log.read_text(encoding="utf-8").splitlines()):
            return
