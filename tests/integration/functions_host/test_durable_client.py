"""Everything the durable client of the SDK can ask for, asked by the sample app with the unmodified SDK."""

import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.functions_host import HostProcess
from tests.support.service_process import eventually


def start(host: HostProcess, name: str, given: Any = None, instance_id: str | None = None) -> str:
    query = f"?id={instance_id}" if instance_id else ""
    reply = host.call("POST", f"/api/client/start/{name}{query}", json=given)
    assert reply.status_code == 202, reply.text
    return str(reply.json()["id"])


def status(host: HostProcess, instance_id: str, *, detailed: bool = False) -> dict[str, Any]:
    query = "?detailed=yes" if detailed else ""
    return dict(host.call("GET", f"/api/client/status/{instance_id}{query}").json())


def reached(host: HostProcess, instance_id: str, wanted: str) -> dict[str, Any]:
    """Wait for a runtime status."""

    def ask() -> dict[str, Any] | None:
        found = status(host, instance_id)
        return found if found.get("runtimeStatus") == wanted else None

    found = eventually(ask)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "given", "output"),
    [
        ("chain", {"start": 1}, {"value": 4}),
        ("fan_out", {"width": 5}, 15),
        ("parent", None, {"first": 13, "second": 6}),
        ("countdown", {"left": 3}, "lift-off"),
        ("stubborn", {"failures": 2}, "worked at attempt 3"),
        ("approval", {"seconds": 0.1}, "timed out"),
    ],
)
def test_workflows_run_to_their_end_while_the_caller_waits(
    host: HostProcess, name: str, given: Any, output: Any
) -> None:
    reply = host.call("POST", f"/api/client/run/{name}", json=given)

    assert reply.status_code == 200
    # The client passes a text on as it is and everything else as JSON.
    assert (reply.text if isinstance(output, str) else reply.json()) == output


def test_retries_end_and_the_failure_reaches_the_caller(host: HostProcess) -> None:
    reply = host.call("POST", "/api/client/run/stubborn", json={"failures": 5})

    assert reply.status_code == 500
    failed = reply.json()
    assert failed["runtimeStatus"] == "Failed"
    assert failed["output"].startswith("Orchestrator function 'stubborn' failed: ")
    assert "Activity function 'fails_at_first' failed:  ConnectionError: attempt 3 failed" in failed["output"]
    assert len([entry for entry in host.journal("attempt") if entry["run"] == failed["instanceId"]]) == 3


def test_a_caller_who_waited_in_vain_gets_links_to_ask_again(host: HostProcess) -> None:
    reply = host.call("POST", "/api/client/run/approval?wait=100", json={})

    assert reply.status_code == 202
    links = reply.json()
    assert reply.headers["Location"] == links["statusQueryGetUri"]
    asked = host.call("GET", links["statusQueryGetUri"].removeprefix(host.url))
    assert asked.status_code == 202
    assert asked.headers["Retry-After"] == "5"
    assert host.call("POST", f"/api/client/terminate/{links['id']}").status_code == 202


def test_the_given_id_is_used_and_a_running_one_is_refused(host: HostProcess) -> None:
    instance_id = f"given-{uuid.uuid4()}"
    assert start(host, "approval", {}, instance_id) == instance_id

    refused = host.call("POST", f"/api/client/start/approval?id={instance_id}", json={})

    assert refused.status_code == 409
    assert instance_id in refused.text
    host.call("POST", f"/api/client/terminate/{instance_id}")
    reached(host, instance_id, "Terminated")
    assert start(host, "chain", {"start": 5}, instance_id) == instance_id
    assert reached(host, instance_id, "Completed")["output"] == {"value": 8}


def test_an_unknown_orchestrator_is_refused_with_the_hosts_text(host: HostProcess) -> None:
    reply = host.call("POST", "/api/client/start/nobody")

    assert reply.status_code == 409
    assert reply.text.startswith("The function 'nobody' doesn't exist, is disabled, or is not an orchestrator function")


def test_the_status_of_an_unknown_instance_is_empty(host: HostProcess) -> None:
    assert status(host, "never-started")["known"] is False


def test_input_and_history_are_shown_on_request(host: HostProcess) -> None:
    instance_id = start(host, "chain", {"start": 1})
    reached(host, instance_id, "Completed")

    found = status(host, instance_id, detailed=True)

    assert found["input"] == '{"start": 1}'
    assert found["customStatus"] == {"step": 2}
    # The host says historyEvents where the SDK looks for history; so it is in Azure.
    assert found["history"] is None
    events = found["historyEvents"]
    assert [event["EventType"] for event in events] == [
        "ExecutionStarted",
        "TaskCompleted",
        "TaskCompleted",
        "TaskCompleted",
        "ExecutionCompleted",
    ]
    assert [event["Result"] for event in events[1:4]] == [2, 3, 4]
    assert {event["FunctionName"] for event in events[1:4]} == {"add_one"}


def test_an_event_wakes_an_instance(host: HostProcess) -> None:
    instance_id = start(host, "approval", {})

    assert host.call("POST", f"/api/client/raise/{instance_id}/decision", json={"go": True}).status_code == 202

    assert reached(host, instance_id, "Completed")["output"] == {"go": True}
    late = host.call("POST", f"/api/client/raise/{instance_id}/decision", json={})
    assert (late.status_code, late.text) == (409, f"Instance with ID {instance_id} is gone: either completed or failed")
    nobody = host.call("POST", "/api/client/raise/never-started/decision", json={})
    assert (nobody.status_code, nobody.text) == (409, "No instance with ID never-started found.")


def test_terminate_keeps_the_reason(host: HostProcess) -> None:
    instance_id = start(host, "approval", {})

    assert host.call("POST", f"/api/client/terminate/{instance_id}?reason=not%20today").status_code == 202

    assert reached(host, instance_id, "Terminated")["output"] == "not today"
    # The SDK takes 410 for success here and only an unknown id for an error.
    assert host.call("POST", f"/api/client/terminate/{instance_id}").status_code == 202
    assert host.call("POST", "/api/client/terminate/never-started").status_code == 409


def test_the_list_of_all_instances(host: HostProcess) -> None:
    done, waiting = start(host, "chain", {"start": 1}), start(host, "approval", {})
    reached(host, done, "Completed")

    everything = {item["instanceId"] for item in host.call("GET", "/api/client/status").json()}

    assert {done, waiting} <= everything
    host.call("POST", f"/api/client/terminate/{waiting}")


def test_what_ended_is_listed_by_its_time_and_purged_what_runs_is_not(host: HostProcess) -> None:
    done, waiting = start(host, "chain", {"start": 1}), start(host, "approval", {})
    created = datetime.fromisoformat(reached(host, done, "Completed")["createdTime"])

    def past(instance_id: str, *, hours: float) -> dict[str, Any]:
        start, end = created + timedelta(hours=hours - 1), created + timedelta(hours=hours)
        query = f"?from={quote(start.isoformat())}&to={quote(end.isoformat())}"
        return dict(host.call("GET", f"/api/client/past/{instance_id}{query}").json())

    before, running = past("never-started", hours=-1), past(waiting, hours=1)
    assert done not in before["found"]
    assert done in running["found"]
    assert waiting not in running["found"]
    assert (before["purged"], running["purged"]) == (0, 0)
    assert past(done, hours=1)["purged"] == 1
    assert status(host, done) == {"known": False}
    assert status(host, waiting)["known"]
    host.call("POST", f"/api/client/terminate/{waiting}")


@pytest.mark.parametrize("operation", ["rewind", "suspend", "resume"])
def test_what_is_not_served_is_refused(host: HostProcess, operation: str) -> None:
    instance_id = start(host, "chain", {"start": 1})

    reply = host.call("POST", f"/api/client/{operation}/{instance_id}?reason=again")

    assert reply.status_code == 409
    assert "501" in reply.text


def test_many_instances_run_side_by_side(host: HostProcess) -> None:
    instances = [start(host, "approval", {"seconds": 1}) for _ in range(10)]

    for instance_id in instances:
        assert reached(host, instance_id, "Completed")["output"] == "timed out"
