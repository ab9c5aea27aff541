import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.support.functions_host import HostProcess
from tests.support.service_process import eventually

NOTIFICATION = {"aeg-event-type": "Notification"}


def post(host: HostProcess, function: str, body: Any, headers: dict[str, str], **options: Any) -> requests.Response:
    key = options.pop("key", host.endpoints["system_keys"]["eventgrid_extension"])
    path = options.pop("path", "/runtime/webhooks/EventGrid")
    query = {"functionName": function, "code": key}
    sent = {"data": body} if isinstance(body, str) else {"json": body}
    return host.call("POST", path, params=query, headers=headers, **sent)


def event(**data: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/x",
        "subject": "/blobServices/default/containers/raw/blobs/a.csv",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "data": data,
        "dataVersion": "",
        "metadataVersion": "1",
    }


def cloud_event(**data: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "/x", "type": "t", "data": data}


def noted(host: HostProcess) -> set[str]:
    return {entry["id"] for entry in host.journal("event")}


@pytest.mark.parametrize("path", ["/runtime/webhooks/EventGrid", "/runtime/webhooks/eventgrid"])
def test_every_event_of_a_delivery_runs_the_function(host: HostProcess, path: str) -> None:
    events = [event(), event()]

    reply = post(host, "ON_EVENT", events, NOTIFICATION, path=path)

    assert reply.status_code == 202
    assert {item["id"] for item in events} <= noted(host)


def test_a_single_object_is_a_delivery_too_and_a_function_may_start_a_workflow(host: HostProcess) -> None:
    sent = cloud_event(start=4)

    assert post(host, "on_cloud_event", sent, NOTIFICATION).status_code == 202

    def output() -> Any:
        return host.durable("GET", f"instances/event-{sent['id']}").json()["output"]

    assert eventually(output) == {"value": 7}


def test_one_failure_answers_for_all_so_that_all_are_sent_again(host: HostProcess) -> None:
    good = event()

    reply = post(host, "on_event", [good, event(fail=True)], NOTIFICATION)

    assert (reply.status_code, reply.text) == (500, "ValueError: asked to fail")
    assert good["id"] in noted(host)


def test_the_validation_handshake(host: HostProcess) -> None:
    headers = {"aeg-event-type": "SubscriptionValidation"}
    code = "0000-1111"

    assert post(host, "on_event", [event(validationCode=code)], headers).json() == {"validationResponse": code}
    as_text = {**cloud_event(), "data": f'{{"validationCode": "{code}"}}'}
    assert post(host, "on_event", as_text, headers).json() == {"validationResponse": code}
    assert post(host, "on_event", [event()], headers).status_code == 400
    assert post(host, "on_event", [{**event(), "data": "no json"}], headers).status_code == 400


def test_the_cloud_events_handshake(host: HostProcess) -> None:
    query = {"functionName": "on_event", "code": host.endpoints["system_keys"]["eventgrid_extension"]}
    origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}

    reply = host.call("OPTIONS", "/runtime/webhooks/eventgrid", params=query, headers=origin)

    assert reply.status_code == 200
    assert reply.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert "WebHook-Allowed-Rate" in reply.headers
    assert host.call("OPTIONS", "/runtime/webhooks/eventgrid", params=query).status_code == 400
    assert host.call("OPTIONS", "/runtime/webhooks/eventgrid", headers=origin).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"aeg-event-type": "Unsubscribe"}, 202),
        ({"aeg-event-type": "SomethingElse"}, 400),
        ({}, 400),
    ],
)
def test_other_kinds_of_delivery(host: HostProcess, headers: dict[str, str], status: int) -> None:
    assert post(host, "on_event", [event()], headers).status_code == status


@pytest.mark.parametrize("body", ["", "not json", "[]", "[" * 100_000, '["text"]', "7", "null"])
def test_malformed_deliveries_are_refused_for_good(host: HostProcess, body: str) -> None:
    # Event Grid never sends a 400 again, and sending this again would not help.
    assert post(host, "on_event", body, NOTIFICATION).status_code == 400


def test_an_event_without_any_of_its_fields_fails_like_any_other(host: HostProcess) -> None:
    assert post(host, "on_event", [{"eventTime": "yesterday"}], NOTIFICATION).status_code == 500


@pytest.mark.parametrize("name", ["nobody", "echo", ""])
def test_an_unknown_function_is_404(host: HostProcess, name: str) -> None:
    reply = post(host, name, [event()], NOTIFICATION)

    assert (reply.status_code, reply.text) == (404, f"cannot find function: '{name}'")


def test_the_key_is_needed(host: HostProcess) -> None:
    assert post(host, "on_event", [event()], NOTIFICATION, key="wrong").status_code == 401
    other = host.endpoints["system_keys"]["durabletask_extension"]
    assert post(host, "on_event", [event()], NOTIFICATION, key=other).status_code == 401
    assert post(host, "on_event", [event()], NOTIFICATION, key=host.endpoints["master_key"]).status_code == 202
