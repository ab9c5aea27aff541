"""A request for a run: claimed by its key, admitted once, answered; and what a dry run says."""

import asyncio
from typing import Any

import azure.functions as func
import pytest

from function_app.api import starts
from function_app.problems import RefusedError
from shared.errors import Code, PermanentError
from shared.messages import AdmissionRequest, Preview, Verdict
from shared.values.wire import from_wire
from tests.support.api import MemoryServices, a_request, response_to, text_of
from tests.support.durable_client import MemoryClient, RuntimeStatus

PIPELINE = "breast-cancer"
STARTED = {"admission": {"start": True, "run_id": "r-1", "verdict": "trained", "reason": "3 files are trained"}}
SAME = {"admission": {"start": False, "run_id": "r-1", "verdict": "unchanged", "reason": "nothing changed"}}
NOTHING_NEW = {"admission": {"start": False, "run_id": None, "verdict": "unchanged", "reason": "nothing new"}}
NO_DATA = {"admission": {"start": False, "run_id": None, "verdict": "rejected", "reason": "no hold-out; upload it"}}
QUARANTINED = {"admission": {"start": False, "run_id": "r-1", "verdict": "quarantined", "reason": "failed 3 times"}}
REFUSED = {"rejected": "bad_pipeline", "reason": "broken"}
FAILED = {"failed": "tables are down"}


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def ask(
    services: MemoryServices, client: MemoryClient, *, body: Any = b"", key: str | None = None, path: str = PIPELINE
) -> func.HttpResponse:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = a_request("POST", body=body, headers=headers, path=path)
    return response_to("start_run", request, services, client)


def test_a_request_starts_an_orchestration_that_knows_what_was_asked(services: MemoryServices) -> None:
    client = MemoryClient(shows=STARTED)

    response = ask(services, client, body={"force": True, "reason": "a try", "parameters": PARAMETERS})

    assert response.status_code == 202
    assert response.headers["Location"] == "/api/runs/r-1"
    assert text_of(response) == {
        "run_id": "r-1",
        "started": True,
        "verdict": "trained",
        "reason": "3 files are trained",
    }
    (instance_id,) = client.started
    asked = from_wire(AdmissionRequest, client.instances[instance_id].given)
    assert (asked.pipeline, asked.force, asked.parameters) == (PIPELINE, True, PARAMETERS)
    assert asked.note == "asked by a caller without a key and a name: a try"
    assert asked.requested_by == instance_id


PARAMETERS = {"inverse_regularisation": 0.5}


def test_each_request_without_a_key_is_its_own(services: MemoryServices) -> None:
    client = MemoryClient(shows=STARTED)

    ask(services, client)
    ask(services, client)

    assert len(set(client.started)) == 2


def test_a_repeat_with_the_key_is_the_same_request(services: MemoryServices) -> None:
    client = MemoryClient(shows=STARTED)

    answers = [ask(services, client, key="k", body=body) for body in (b"", b"{}", {"force": False})]

    assert len(client.started) == 1
    assert {response.status_code for response in answers} == {202}
    assert len({response.get_body() for response in answers}) == 1


def test_a_key_belongs_to_its_pipeline(services: MemoryServices) -> None:
    client = MemoryClient(shows=STARTED)

    ask(services, client, key="k")
    ask(services, client, key="k", path="digits")

    assert len(set(client.started)) == 2


def test_a_key_that_was_used_for_another_request_is_refused(services: MemoryServices) -> None:
    client = MemoryClient(shows=STARTED)
    ask(services, client, key="k")

    with pytest.raises(RefusedError, match="was used before, for another request; use a new key") as caught:
        ask(services, client, key="k", body={"force": True})

    assert (caught.value.status, caught.value.code) == (422, "idempotency_key_reused")
    assert len(client.started) == 1


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (STARTED, False),
        (SAME, False),
        (NOTHING_NEW, True),
        (NO_DATA, True),
        (QUARANTINED, True),
        (REFUSED, True),
        (FAILED, True),
        (None, True),
        ("text", True),
    ],
)
def test_only_what_led_to_no_run_is_tried_again_under_its_key(services: MemoryServices, said: Any, again: bool) -> None:
    client = MemoryClient(shows=STARTED)
    ask(services, client, key="k")
    (instance_id,) = client.started
    client.ended(instance_id, said)

    assert starts.may_try_again(said) is again
    response = ask(services, client, key="k")

    assert len(client.started) == (2 if again else 1)
    assert response.status_code == (200 if said is SAME else 202)


def test_of_two_that_repeat_at_once_the_second_waits_for_the_first(services: MemoryServices) -> None:
    class Raced(MemoryClient):
        async def start_new(self, name: str, instance_id: str, given: Any) -> str:
            if self.started:
                self.instances[instance_id].runtime_status = RuntimeStatus.Running
                self.instances[instance_id].custom_status = SAME
            return await super().start_new(name, instance_id, given)

    client = Raced(shows=STARTED)
    ask(services, client, key="k")
    client.ended(client.started[0], FAILED)

    assert ask(services, client, key="k").status_code == 200


def test_trouble_on_a_second_start_is_reported(services: MemoryServices) -> None:
    class Broken(MemoryClient):
        async def start_new(self, name: str, instance_id: str, given: Any) -> str:
            if self.started:
                raise ConnectionError("the host is away")
            return await super().start_new(name, instance_id, given)

    client = Broken(shows=STARTED)
    ask(services, client, key="k")
    client.ended(client.started[0], FAILED)

    with pytest.raises(ConnectionError):
        ask(services, client, key="k")


@pytest.mark.parametrize(
    ("path", "body", "code", "says"),
    [
        ("none", b"", Code.UNKNOWN_PIPELINE, "there is no pipeline 'none'"),
        (PIPELINE, {"parameters": {"depth": 3}}, Code.BAD_REQUEST, "'depth' is not declared"),
        (PIPELINE, {"parameters": {"inverse_regularisation": "much"}}, Code.BAD_REQUEST, "must be of kind float"),
        (PIPELINE, {"parameters": []}, Code.BAD_REQUEST, "parameters must be an object"),
    ],
)
def test_what_can_never_be_admitted_starts_nothing(
    services: MemoryServices, path: str, body: Any, code: Code, says: str
) -> None:
    client = MemoryClient(shows=STARTED)

    with pytest.raises(PermanentError, match=says) as caught:
        ask(services, client, path=path, body=body, key="k")

    assert caught.value.code is code
    assert client.started == []
    ask(services, client, key="k")  # and the key is still free


def test_a_dry_run_says_what_would_happen_and_does_nothing(
    services: MemoryServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    would = Preview(would_start=True, verdict=Verdict.TRAINED, reason="3 files would be trained", run_id="r-9")
    asked: list[AdmissionRequest] = []

    def preview(_: MemoryServices, request: AdmissionRequest) -> Preview:
        asked.append(request)
        return would

    monkeypatch.setattr(starts, "preview", preview)
    client = MemoryClient()

    response = ask(services, client, body={"dry_run": True, "force": True}, key="k")

    assert response.status_code == 200
    assert (text_of(response)["would_start"], text_of(response)["run_id"]) == (True, "r-9")
    assert asked[0].force
    assert client.started == []


@pytest.mark.parametrize(
    ("said", "status"), [(STARTED, 202), (SAME, 200), (NOTHING_NEW, 200)], ids=["started", "same", "nothing new"]
)
def test_an_admission_becomes_the_right_status(said: dict[str, Any], status: int) -> None:
    response = ask(MemoryServices(), MemoryClient(shows=said))

    assert response.status_code == status
    assert response.headers.get("Location") == (None if said is NOTHING_NEW else "/api/runs/r-1")


@pytest.mark.parametrize(
    ("said", "error", "says"),
    [
        (NO_DATA, PermanentError, "no hold-out; upload it"),
        (QUARANTINED, RefusedError, "failed 3 times"),
        (REFUSED, PermanentError, "broken"),
        (FAILED, RefusedError, "tables are down; look at the pipeline's runs"),
        ({}, RefusedError, "not listed within 200 s"),
    ],
)
def test_what_is_no_admission_is_a_problem(said: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        starts.admission_answer(said)


def test_a_request_that_dies_before_it_is_admitted_is_not_waited_for() -> None:
    client = MemoryClient()
    client.ended("http-1", None, RuntimeStatus.Terminated)

    said = asyncio.run(starts.admission_of(client, "http-1"))

    assert said == {"failed": "the request ended as Terminated before it was admitted"}
