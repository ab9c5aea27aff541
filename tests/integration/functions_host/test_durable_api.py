"""The durable HTTP API as callers without the SDK see it, on both listeners."""

import pytest
import requests

from tests.support.functions_host import HostProcess
from tests.support.service_process import eventually

WEBHOOK = "/runtime/webhooks/durabletask"


def ended(host: HostProcess, instance_id: str) -> requests.Response:
    def ask() -> requests.Response | None:
        reply = host.durable("GET", f"instances/{instance_id}")
        return reply if reply.status_code == 200 else None

    reply = eventually(ask)
    assert reply is not None
    return reply


def test_the_public_listener_needs_the_extensions_key(host: HostProcess) -> None:
    key = host.endpoints["system_keys"]["durabletask_extension"]
    foreign = host.endpoints["system_keys"]["eventgrid_extension"]

    assert host.call("GET", f"{WEBHOOK}/instances").status_code == 401
    assert host.call("GET", f"{WEBHOOK}/instances?code={foreign}").status_code == 401
    assert host.call("GET", f"{WEBHOOK}/instances?code={host.endpoints['function_key']}").status_code == 401
    assert host.call("GET", f"{WEBHOOK}/Instances/?code={key}").status_code == 200
    assert host.call("GET", f"{WEBHOOK}/instances", headers=host.master).status_code == 200


def test_the_links_of_a_start_work_as_they_are(host: HostProcess) -> None:
    key = host.endpoints["system_keys"]["durabletask_extension"]
    reply = host.call("POST", f"{WEBHOOK}/orchestrators/approval?code={key}", json={"seconds": 60})

    assert reply.status_code == 202
    assert reply.headers["Retry-After"] == "10"
    links = reply.json()
    assert reply.headers["Location"] == links["statusQueryGetUri"]
    assert requests.get(links["statusQueryGetUri"], timeout=30).status_code == 202
    event = links["sendEventPostUri"].replace("{eventName}", "decision")
    # A raw caller's value reaches the workflow as it is, not as a text.
    assert requests.post(event, json={"by": "hand"}, timeout=30).status_code == 202
    assert ended(host, links["id"]).json()["output"] == {"by": "hand"}


def test_the_key_is_part_of_the_links_so_other_listeners_pages_stay_closed(host: HostProcess) -> None:
    assert requests.get(f"{host.endpoints['rpc_url']}/admin/host/status", timeout=30).status_code == 404
    assert requests.get(f"{host.endpoints['rpc_url']}/api/guarded", timeout=30).status_code == 404


def test_the_status_of_an_ended_instance(host: HostProcess) -> None:
    instance_id = host.durable("POST", "orchestrators/Chain", json={"start": 1}).json()["id"]
    assert len(instance_id) == 32

    body = ended(host, instance_id).json()

    assert {key: body[key] for key in ("instanceId", "runtimeStatus", "input", "output")} == {
        "instanceId": instance_id,
        "runtimeStatus": "Completed",
        "input": {"start": 1},
        "output": {"value": 4},
    }
    assert "historyEvents" not in body
    assert host.durable("GET", f"instances/{instance_id}?showInput=false").json()["input"] is None


def test_a_failed_instance_is_200_unless_asked_otherwise(host: HostProcess) -> None:
    instance_id = host.durable("POST", "orchestrators/chain", json={"no": "start"}).json()["id"]

    assert ended(host, instance_id).json()["runtimeStatus"] == "Failed"
    asked = host.durable("GET", f"instances/{instance_id}?returnInternalServerErrorOnFailure=true")
    assert asked.status_code == 500


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "instances/never-started", 404),
        ("POST", "instances/never-started/terminate?reason=x", 404),
        ("POST", "instances/never-started/suspend", 501),
        ("POST", "instances/never-started/resume", 501),
        ("DELETE", "instances/never-started", 404),
        ("DELETE", "instances?createdTimeFrom=2099-01-01T00:00:00Z", 501),
        ("GET", "instances?runtimeStatus=Finished", 400),
        ("GET", "instances?createdTimeFrom=yesterday", 400),
        ("GET", "instances?instanceIdPrefix=a", 501),
        ("POST", "instances/never-started/rewind?reason=x", 501),
        ("POST", "instances/never-started/restart", 501),
        ("POST", "entities/counter/k?op=add", 501),
        ("GET", "entities/counter/k", 501),
        ("PUT", "instances/never-started", 404),
        ("GET", "no/such/thing", 404),
    ],
)
def test_status_codes(host: HostProcess, method: str, path: str, status: int) -> None:
    reply = host.durable(method, path)

    assert reply.status_code == status
    if status == 404:
        # The SDK reads an empty body as "unknown"; any other would be taken for a status.
        assert reply.content == b""


@pytest.mark.parametrize("instance_id", ["@counter@k", "a%2Fb", "a%23b", "x" * 257])
def test_ids_with_a_meaning_are_refused(host: HostProcess, instance_id: str) -> None:
    reply = host.durable("POST", f"orchestrators/chain/{instance_id}", json={})

    assert reply.status_code == 400
    assert set(reply.json()) == {"Message", "ExceptionMessage", "ExceptionType", "StackTrace"}


@pytest.mark.parametrize("body", ["{", "NaN", "Infinity"])
def test_a_start_with_a_body_that_is_no_json_is_refused(host: HostProcess, body: str) -> None:
    assert host.durable("POST", "orchestrators/chain", data=body).status_code == 400


def test_events_must_be_json_and_say_so(host: HostProcess) -> None:
    instance_id = host.durable("POST", "orchestrators/approval", json={}).json()["id"]
    path = f"instances/{instance_id}/raiseEvent/decision"

    assert host.durable("POST", path, data="true", headers={"Content-Type": "text/plain"}).status_code == 400
    assert host.durable("POST", path, data="{", headers={"Content-Type": "application/json"}).status_code == 400
    assert host.durable("POST", path, data="true", headers={"Content-Type": "application/json"}).status_code == 202
    assert ended(host, instance_id).json()["output"] is True
    assert host.durable("POST", path, json=1).status_code == 410
