"""Secrets that are rotated while the app runs: what was refused is read anew, and works without a restart."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from function_app.activity_wiring import activity_function
from function_app.api import explanations, handlers
from function_app.api.doctor import doctor
from function_app.api.models import DoctorQuery
from function_app.api.operations import OPERATIONS
from function_app.composition import Services
from function_app.doctor import examination
from function_app.doctor.catalogue import checks_of
from function_app.problems import answers_problems
from function_app.triggers.operations import _function
from shared.clients import secret_settings
from shared.clients.identity import managed_identity
from shared.clients.secret_settings import SecretSettings
from shared.contracts import READ_CHAMPION
from shared.doctor import State
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Champion, ChampionQuery, RunEvent, RunEventKind
from shared.values.wire import to_wire
from tests.support.answering import SIGN_IN, Answering, Reply, answering
from tests.support.arrivals import a_pipeline, a_run_record
from tests.support.workflow import START

EXAMPLE = json.loads((Path(__file__).parents[3] / "local.settings.json.example").read_text())["Values"]
OLD, NEW, OTHER = "zq-old-zq", "zq-new-zq", "zq-other-zq"
CHAMPION = Champion(pipeline="p", run_id="r-1")
EVENT = RunEvent(kind=RunEventKind.FAILED, occurred_at=START, record=a_run_record())
LISTING = (
    b'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="c"><Blobs/><NextMarker/>'
    b"</EnumerationResults>"
)


@dataclass
class World:
    """A token endpoint, a vault with one secret, and services that take the one that is right now."""

    served: Answering
    stored: str = OLD
    right: str = OLD
    vault_says: Reply | None = None
    used: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.served.url}/secrets/the-secret"

    @property
    def reads(self) -> int:
        return sum("/secrets/" in each for each in self.served.asked)

    def answer(self, method: str, path: str) -> Reply:
        headers, _ = self.served.sent[-1]
        if path.startswith("/msi"):
            token = {"access_token": "zq-token-zq", "expires_on": str(int(time.time()) + 86400)}
            return Reply(200, json.dumps(token).encode())
        if path.startswith("/secrets/"):
            assert headers["authorization"] == "Bearer zq-token-zq"
            return self.vault_says or Reply(200, json.dumps({"value": self.form(self.stored)}).encode())
        return self.service(method, path, headers)

    form: Callable[[str], str] = str
    service: Callable[[str, str, dict[str, str]], Reply] = lambda *_: Reply(500)


@pytest.fixture(scope="module")
def served() -> Iterator[Answering]:
    with answering() as served:
        yield served


@pytest.fixture
def world(served: Answering, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in EXAMPLE.items():
        monkeypatch.setenv(name, "22" if name.endswith("__PORT") else value)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{served.url}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "zq-header-zq")
    monkeypatch.setattr(secret_settings, "PAUSE_SECONDS", 0.0)
    served.asked.clear()
    world = World(served)
    served.answer = world.answer
    return world


def event_grid(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Services], Any]:
    monkeypatch.setenv("EDGETRAIN_ANNOUNCEMENTS__ENDPOINT", f"{world.served.url}/api/events")
    monkeypatch.setenv("EDGETRAIN_ANNOUNCEMENTS__KEY", world.address)
    world.service = lambda _, __, headers: Reply(200 if headers["aeg-sas-key"] == world.right else 401)

    def body(_: object, services: Services) -> object:
        services.announcements.publish(EVENT)
        return CHAMPION

    return body


def hub(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Services], Any]:
    monkeypatch.delenv("EDGETRAIN_SITES__FACTORY__SAS__EDGETRAIN_MANIFESTS")
    monkeypatch.setenv("EDGETRAIN_SITES__FACTORY__CONNECTION_STRING", world.address)
    world.form = lambda secret: (
        f"BlobEndpoint={world.served.url}/hub;SharedAccessSignature=sv=2019-07-07&ss=b&srt=c&sp=l&sig={secret}"
    )

    def service(_: str, path: str, __: dict[str, str]) -> Reply:
        allowed = f"sig={world.right}" in path
        own = {"x-ms-request-id": "1", "x-ms-error-code": "" if allowed else "AuthenticationFailed"}
        return Reply(200 if allowed else 403, LISTING if allowed else b"", "application/xml", own)

    world.service = service

    def body(_: object, services: Services) -> object:
        try:
            services.hubs.hub("factory").listing(a_pipeline())
        except PermanentError as error:
            if error.code is not Code.NO_DATA:  # there is none in this hub
                raise
        return CHAMPION

    return body


def registry(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Services], Any]:
    monkeypatch.setenv("EDGETRAIN_CONTAINER_REGISTRY__URL", world.served.url)
    monkeypatch.setenv("EDGETRAIN_CONTAINER_REGISTRY__USERNAME", "user")
    monkeypatch.setenv("EDGETRAIN_CONTAINER_REGISTRY__PASSWORD", world.address)

    def service(_: str, __: str, headers: dict[str, str]) -> Reply:
        right = "Basic " + base64.b64encode(f"user:{world.right}".encode()).decode()
        return Reply(
            404 if headers["authorization"] == right else 401,
            headers={"Docker-Distribution-API-Version": "registry/2.0"},
        )

    world.service = service

    def body(_: object, services: Services) -> object:
        services.container_registry.get_manifest("models/x", "latest")
        return CHAMPION

    return body


CLIENTS = {
    "EDGETRAIN_ANNOUNCEMENTS__ENDPOINT and __KEY": event_grid,
    "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": hub,
    "EDGETRAIN_CONTAINER_REGISTRY": registry,
}


@pytest.fixture(params=CLIENTS)
def setting(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def activity(world: World, setting: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    body, services = CLIENTS[setting](world, monkeypatch), Services()
    command = to_wire(ChampionQuery(pipeline="p"))
    return lambda: activity_function(READ_CHAMPION, body, services)(command)


def test_a_rotated_secret_is_refused_read_anew_and_works(activity: Callable[[], dict[str, Any]], world: World) -> None:
    assert activity()["value"]["run_id"] == "r-1"
    world.stored = world.right = NEW

    with pytest.raises(TransientError):
        activity()

    assert activity()["value"]["run_id"] == "r-1"
    assert activity()["value"]["run_id"] == "r-1"
    assert world.reads == 2


def test_wrong_twice_is_refused_with_the_setting(
    activity: Callable[[], dict[str, Any]], world: World, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.right = NEW
    first = activity()  # nothing else is in the vault yet
    world.stored = OTHER
    with pytest.raises(TransientError) as caught:
        activity()
    last = [activity() for _ in range(3)]

    for reply in (first, *last):
        assert setting in reply["reason"]
    said = f"{first} {last} {caught.value} {caplog.text}"
    assert not [secret for secret in (OLD, NEW, OTHER, "zq-token-zq", "zq-header-zq") if secret in said]


@pytest.mark.parametrize("says", [SIGN_IN, Reply(503), Reply(200, b"{}"), Reply(200, b""), Reply(403, b"{}")])
def test_a_vault_that_does_not_answer_changes_nothing(
    activity: Callable[[], dict[str, Any]], world: World, setting: str, says: Reply
) -> None:
    assert activity()["value"]["run_id"] == "r-1"
    world.right, world.vault_says = NEW, says
    assert setting in activity()["reason"]

    world.stored, world.vault_says = NEW, None
    with pytest.raises(TransientError):
        activity()
    assert activity()["value"]["run_id"] == "r-1"


def test_a_run_that_is_not_ready_by_an_old_secret_asks_once_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event_grid(world, monkeypatch)

    def body(_: object, services: Services) -> object:
        topic = services.settings.announcements
        if topic is None or topic.key is None or topic.key.get_secret_value() != world.right:
            raise PermanentError("registry.rights of app: refused", code=Code.NOT_READY)
        return CHAMPION

    services = Services()
    ask = activity_function(READ_CHAMPION, body, services)
    command = to_wire(ChampionQuery(pipeline="p"))
    assert "value" in ask(command)
    world.stored = world.right = NEW

    with pytest.raises(TransientError):
        ask(command)
    assert "value" in ask(command)

    world.right = OTHER
    assert ask(command)["rejected"] == Code.NOT_READY


def test_the_doctor_asks_with_the_secrets_as_they_are_now(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event_grid(world, monkeypatch)
    checks = [each for each in checks_of("messages") if each.name == "announcements.rights"]
    monkeypatch.setattr(examination, "every_check", lambda: checks)
    services = Services()

    def seen() -> State:
        [finding] = doctor(services, DoctorQuery()).findings
        return finding.state

    assert seen() is State.OK
    world.stored = world.right = NEW
    assert seen() is State.OK
    world.right = OTHER
    assert seen() is State.WRONG


def test_what_is_said_of_a_blob_does_not_rest_on_an_old_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(world, monkeypatch)
    services = Services()

    def trouble() -> str:
        return explanations._ask_the_hub(a_pipeline(), "landing/a.csv", (), services)[2]

    assert trouble() == ""
    world.stored = world.right = NEW
    with pytest.raises(TransientError):
        trouble()
    assert trouble() == ""
    world.right = OTHER
    assert "CONNECTION_STRING" in trouble()


def test_whoever_began_before_the_change_is_told_of_it_without_another_look(world: World) -> None:
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        event_grid(world, patch)
        services = Services()
        _ = services.settings
        before = services.generation
        world.stored = NEW
        assert services.renewed(before)
        reads = world.reads
        assert services.renewed(before)
        assert world.reads == reads
        assert not services.renewed(services.generation)


def test_after_a_refusal_the_vault_is_left_in_peace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_settings, "PAUSE_SECONDS", 10.0)
    now = 1000.0
    secrets = SecretSettings(managed_identity, clock=lambda: now)
    assert secrets.value("X", world.address) == OLD
    world.stored = NEW

    assert secrets.changed()
    world.stored = OTHER
    assert not secrets.changed()
    now += 11
    assert secrets.changed()
    assert secrets.value("X", world.address) == OTHER


def test_a_secret_that_is_gone_keeps_none_of_the_others_from_being_read_anew(world: World) -> None:
    secrets = SecretSettings(managed_identity)
    gone = f"{world.served.url}/secrets/gone"
    assert (secrets.value("GONE", gone), secrets.value("X", world.address)) == (OLD, OLD)
    answer = world.answer
    world.served.answer = lambda method, path: (
        Reply(404, b'{"error": {"code": "SecretNotFound"}}') if "/secrets/gone" in path else answer(method, path)
    )
    world.stored = NEW

    assert secrets.changed()
    assert (secrets.value("GONE", gone), secrets.value("X", world.address)) == (OLD, NEW)


@pytest.mark.parametrize(
    "value",
    [
        "https://v.example/keys/k/1",
        "https://v.example/secrets/",
        "https://v.example/secrets/a?x=1",
        "https://user@v.example/secrets/a",
        "http://v.example/secrets/a",
        "BlobEndpoint=https://v.example/secrets/a",
        "",
    ],
)
def test_what_is_no_address_of_a_secret_is_itself(value: str) -> None:
    assert SecretSettings(managed_identity).value("X", value) == value


def test_a_reference_that_app_service_did_not_fill_in_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://v.example/secrets/a)"
    monkeypatch.setenv("EDGETRAIN_CONTAINER_REGISTRY__PASSWORD", reference)

    with pytest.raises(PermanentError, match="EDGETRAIN_CONTAINER_REGISTRY__PASSWORD"):
        _ = Services().settings


def test_what_the_host_reads_too_is_not_an_address(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ServiceBusConnection", world.address)

    found = Services().settings.service_bus.connection_string

    assert found is not None
    assert found.get_secret_value() == world.address
    assert world.reads == 0


def test_a_request_that_was_refused_is_to_be_sent_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event_grid(world, monkeypatch)
    services = Services()
    services.announcements.publish(EVENT)

    async def respond(*_: object) -> func.HttpResponse:
        services.announcements.publish(EVENT)
        return func.HttpResponse(status_code=204)

    monkeypatch.setattr(handlers, "respond", respond)
    ask = answers_problems(_function(next(each for each in OPERATIONS if not each.durable), services))
    request = func.HttpRequest("GET", "https://app.example/api", body=b"")
    world.stored = world.right = NEW

    assert [asyncio.run(ask(request)).status_code for _ in range(2)] == [503, 204]
    world.right = OTHER
    assert [asyncio.run(ask(request)).status_code for _ in range(2)] == [500, 500]
