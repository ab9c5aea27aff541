from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from infra.hub.vm.reload_haproxy import Master, ReloadError, complaints, parse
from local_stack.stack_hub.guard_rules import refusal
from local_stack.stack_hub.ssh_keys import known_hosts_line
from local_stack.storage.azurite import Account, connection_string


@pytest.mark.parametrize("version", ["2019-07-07", "2019-02-02", "2009-09-19"])
def test_versions_the_hub_knows_pass(version: str) -> None:
    assert refusal({"x-ms-version": version}, {}) is None


@pytest.mark.parametrize("version", ["2019-07-08", "2019-12-12", "2026-04-06", "latest", ""])
def test_other_versions_are_a_bad_header(version: str) -> None:
    reason = refusal({"x-ms-version": version}, {})

    assert reason is not None
    assert (reason.status, reason.code) == (400, "InvalidHeaderValue")
    assert reason.details == {"HeaderName": "x-ms-version", "HeaderValue": version}


def test_a_request_without_a_version_is_the_services_matter() -> None:
    assert refusal({}, {}) is None


def test_a_newer_shared_access_signature_fails_authentication() -> None:
    reason = refusal({"x-ms-version": "2019-07-07"}, {"sv": "2021-08-06", "sig": "abc"})

    assert reason is not None
    assert (reason.status, reason.code) == (403, "AuthenticationFailed")
    assert refusal({}, {"sv": "2019-07-07", "sig": "abc"}) is None
    assert refusal({}, {"sv": "2021-08-06"}) is None  # a parameter of that name, but no signature


def test_the_error_document_is_well_formed_whatever_the_header_held() -> None:
    reason = refusal({"x-ms-version": '<a&"b>'}, {})
    assert reason is not None

    document = ET.fromstring(reason.body("some-id", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))

    assert document.findtext("Code") == "InvalidHeaderValue"
    assert document.findtext("HeaderValue") == '<a&"b>'
    assert "RequestId:some-id\nTime:2026-01-02T03:04:05" in (document.findtext("Message") or "")


RUNNING = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
7928            master          2 [failed: 1]   0d00h00m17s     2.6.12
# workers
8033            worker          1               0d00h00m11s     2.6.12
# programs
"""


def test_haproxys_table_of_processes_is_read() -> None:
    assert parse(RUNNING) == Master(reloads=2, failed=1, has_current_worker=False)
    assert parse(RUNNING.replace("worker          1", "worker          0")).has_current_worker
    assert parse(RUNNING.replace(" [failed: 1]", "")).failed == 0


def test_another_answer_of_haproxy_is_an_error() -> None:
    with pytest.raises(ReloadError, match="something else"):
        parse("Permission denied")


def test_a_refused_check_is_known_by_its_alerts() -> None:
    output = "[NOTICE]   (1) : version\n[ALERT]    (1) : config : unknown keyword 'x'\n[NOTICE] bye\n"

    assert complaints(output) == "[ALERT]    (1) : config : unknown keyword 'x'"
    assert complaints(" cannot open \n") == "cannot open"


def test_known_hosts_writes_the_port_unless_it_is_the_usual_one() -> None:
    assert known_hosts_line("127.0.0.1", 2222, "ssh-ed25519 A") == "[127.0.0.1]:2222 ssh-ed25519 A\n"
    assert known_hosts_line("vm", 22, "ssh-ed25519 A") == "vm ssh-ed25519 A\n"


def test_a_connection_string_names_the_endpoints_that_are_there() -> None:
    text = connection_string(Account("acc", "k1", "k2"), "k2", blob=1, table=3)

    assert text == (
        "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=k2;"
        "BlobEndpoint=http://127.0.0.1:1/acc;TableEndpoint=http://127.0.0.1:3/acc;"
    )
