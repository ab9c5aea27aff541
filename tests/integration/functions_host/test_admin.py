import json
import uuid

import pytest

from tests.support.functions_host import HostProcess
from tests.support.service_process import eventually


def test_only_the_master_key_opens_it(host: HostProcess) -> None:
    key = {"x-functions-key": host.endpoints["function_key"]}

    for path in ("/admin/host/status", "/admin/functions/echo/status"):
        assert host.call("GET", path).status_code == 401
        assert host.call("GET", path, headers=key).status_code == 401
        assert host.call("GET", path, headers=host.master).status_code == 200


def test_the_hosts_status(host: HostProcess) -> None:
    status = host.call("GET", "/admin/host/status", headers=host.master).json()

    assert status["state"] == "Running"
    assert status["id"] == "samplehub"
    assert status["processUptime"] > 0


def test_whether_a_function_runs(host: HostProcess) -> None:
    assert host.call("GET", "/admin/functions/Echo/status", headers=host.master).json() == {"errors": None}
    assert host.call("GET", "/admin/functions/nobody/status", headers=host.master).status_code == 404


def test_a_function_opens_with_its_own_key(host: HostProcess) -> None:
    functions = json.loads((host.state / "keys.json").read_text("utf-8"))["functions"]

    assert host.call("GET", f"/api/guarded?code={functions['guarded']['default']}").status_code == 200
    assert host.call("GET", f"/api/guarded?code={functions['echo']['default']}").status_code == 401


def test_a_timer_an_event_function_and_an_activity_can_be_run_by_hand(host: HostProcess) -> None:
    ran = uuid.uuid4().hex

    def run(name: str, text: str) -> int:
        return host.call("POST", f"/admin/functions/{name}", json={"input": text}, headers=host.master).status_code

    timers = len(host.journal("timer"))
    assert run("on_timer", "") == 202
    assert run("On_Event", json.dumps({"id": ran, "subject": "s", "data": {}})) == 202
    assert run("add_one", json.dumps({"value": 1, "run": ran})) == 202

    eventually(lambda: len(host.journal("timer")) > timers)
    eventually(lambda: ran in {entry["id"] for entry in host.journal("event")})
    eventually(lambda: ran in {entry["run"] for entry in host.journal("add_one")})


def test_a_failure_by_hand_is_logged(host: HostProcess) -> None:
    body = {"input": json.dumps({"id": "x", "data": {"fail": True}})}

    assert host.call("POST", "/admin/functions/on_event", json=body, headers=host.master).status_code == 202

    eventually(lambda: "function run by hand failed name=on_event error=ValueError" in host.log.read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("nobody", "{}", 404),
        ("echo", "{}", 400),
        ("chain", "{}", 400),
        ("on_timer", "not json", 400),
        ("on_timer", '{"input": 7}', 400),
    ],
)
def test_what_cannot_be_run_by_hand(host: HostProcess, name: str, body: str, status: int) -> None:
    assert host.call("POST", f"/admin/functions/{name}", data=body, headers=host.master).status_code == status
