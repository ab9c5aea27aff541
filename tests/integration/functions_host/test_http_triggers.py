from pathlib import Path

import pytest

from tests.support.functions_host import HostProcess


def test_a_function_sees_the_request_and_its_answer_is_passed_on(host: HostProcess) -> None:
    reply = host.call("POST", "/api/Echo/Runs/7?a=1&a=2&b=x%20y", data="hälló".encode(), headers={"X-Sample": "seen"})

    assert reply.status_code == 201
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Answer"] == "yes"
    assert reply.cookies["seen"] == "1"
    assert reply.json() == {
        "method": "POST",
        "url": f"{host.url}/api/Echo/Runs/7?a=1&a=2&b=x%20y",
        "route": {"kind": "Runs", "id": "7"},
        "query": {"a": "1,2", "b": "x y"},
        "header": "seen",
        "body": "hälló",
        "function": "echo",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/echo/runs", 201),
        ("GET", "/api/echo/runs/x", 404),
        ("GET", "/api/echo/123", 404),
        ("DELETE", "/api/echo/runs", 404),
        ("GET", "/api/no-such-function", 404),
        ("GET", "/echo/runs", 404),
        ("GET", "/", 200),
    ],
)
def test_routes(host: HostProcess, method: str, path: str, status: int) -> None:
    assert host.call(method, path).status_code == status


def test_a_catch_all_route_gets_the_rest_of_the_path(host: HostProcess) -> None:
    assert host.call("GET", "/api/files/a/b%20c.txt").text == "a/b c.txt"


def test_a_failing_function_is_an_empty_500_and_its_words_are_not_logged(host: HostProcess) -> None:
    reply = host.call("GET", "/api/broken?patient=nobody-may-read-this")

    assert (reply.status_code, reply.text) == (500, "")
    log = host.log.read_text(encoding="utf-8")
    assert "http function failed name=broken error=LookupError" in log
    assert "nobody-may-read-this" not in log


def test_a_body_over_the_limit_is_refused(host: HostProcess) -> None:
    assert host.call("POST", "/api/echo/runs", data=bytes(100 * 1024 * 1024 + 1)).status_code == 413


def test_no_value_is_500_as_the_worker_cannot_encode_none(host: HostProcess) -> None:
    answer = host.call("GET", "/api/silent")

    assert (answer.status_code, answer.content) == (500, b"")


def test_a_function_key_opens_functions_by_header_or_query_and_the_header_wins(host: HostProcess) -> None:
    key = host.endpoints["function_key"]

    assert host.call("GET", "/api/guarded").status_code == 401
    assert host.call("GET", "/api/guarded?code=wrong").status_code == 401
    assert host.call("GET", f"/api/guarded?code={key}").text == "function level"
    assert host.call("GET", "/api/guarded", headers={"x-functions-key": key}).status_code == 200
    assert host.call("GET", f"/api/guarded?code={key}", headers={"x-functions-key": "wrong"}).status_code == 401
    assert host.call("GET", "/api/guarded", headers=host.master).status_code == 200


def test_only_the_master_key_opens_admin_level(host: HostProcess) -> None:
    key = host.endpoints["function_key"]

    assert host.call("GET", "/api/administered", headers={"x-functions-key": key}).status_code == 401
    assert host.call("GET", "/api/administered", headers=host.master).text == "admin level"


def test_a_disabled_function_is_there_for_the_master_key_only(host: HostProcess) -> None:
    assert host.call("GET", "/api/switched-off").status_code == 404
    assert host.call("GET", "/api/switched-off", headers=host.master).text == "only with the master key"


def test_no_key_reaches_the_log(host: HostProcess) -> None:
    host.call("GET", f"/api/guarded?code={host.endpoints['function_key']}")
    secrets = [host.endpoints["master_key"], host.endpoints["function_key"], *host.endpoints["system_keys"].values()]

    log = host.log.read_text(encoding="utf-8")

    assert not [secret for secret in secrets if secret in log]


def test_files_with_keys_are_private(host: HostProcess) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in Path(host.state).glob("*.json")}

    assert modes == {"endpoints.json": 0o600, "keys.json": 0o600}
