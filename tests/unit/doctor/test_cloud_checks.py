"""Checks of the cloud: each fault is named, and what is well or cannot be known is not called wrong."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.servicebus.exceptions import ServiceBusError

from function_app.doctor import messages
from function_app.doctor.azure_ml import checks as azure_ml_checks
from function_app.doctor.catalogue import every_check
from function_app.doctor.host_storage import NOTE, WATCHED
from shared.clients.azure_ml.compute import AttachedCompute
from shared.clients.identity import NoIdentityError
from shared.clients.ledger import Ledger
from shared.clients.service_bus_examination import MOST_DEAD, drops_repeats, may_send
from shared.doctor import Finding, Kind, State, looks, run
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Outcome
from shared.settings import HostStorage, ServiceBus, Site
from tests.support.builders import a_run_request
from tests.support.memory_tables import MemoryTables

VM = SimpleNamespace(address="10.0.0.4", port=22)


def found(name: str, services: Any, subject: str = "") -> Finding:
    [check] = [each for each in every_check() if each.name == name]
    [finding] = run(looks([check], services, {check.about: [subject]}))
    return finding


def status(code: int) -> HttpResponseError:
    error = HttpResponseError(message="no")
    error.status_code = code
    return error


class Unidentified:
    """A client of a namespace whose SDK wraps what the identity said."""

    async def __aenter__(self) -> Any:
        try:
            raise NoIdentityError("turn on its managed identity", code=Code.BAD_CONFIGURATION)
        except PermanentError as error:
            raise ServiceBusError("Handler failed", error=error) from error

    async def __aexit__(self, *_: object) -> None:
        pass


def test_an_app_without_an_identity_is_told_so_and_not_that_the_bus_is_silent() -> None:
    access: Any = SimpleNamespace(client=lambda **_: Unidentified())

    with pytest.raises(PermanentError, match="turn on its managed identity"):
        may_send(access, queue="q")


def an_administration(drops: bool | Exception) -> Any:
    def get(_: str) -> Any:
        if isinstance(drops, Exception):
            raise drops
        return SimpleNamespace(requires_duplicate_detection=drops)

    return SimpleNamespace(get_queue=get, get_topic=get)


@pytest.mark.parametrize(
    ("drops", "known"),
    [(True, True), (False, False), (ClientAuthenticationError("no"), None), (status(401), None), (status(403), None)],
)
def test_whether_an_entity_drops_repeats(drops: bool | Exception, known: bool | None) -> None:
    assert drops_repeats(an_administration(drops), queue="a") is known
    assert drops_repeats(an_administration(drops), topic="a") is known


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ResourceNotFoundError("no"), PermanentError),
        (status(500), TransientError),
        (ServiceRequestError("no"), TransientError),
    ],
)
def test_an_entity_that_is_not_there_is_wrong_and_a_failing_namespace_is_not(
    error: Exception, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        drops_repeats(an_administration(error), queue="a")


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({"a": True, "b": True}, State.OK),
        ({"a": True, "b": False}, State.WRONG),
        ({"a": None, "b": False}, State.WRONG),
        ({"a": True, "b": None}, State.UNKNOWN),
    ],
)
def test_one_entity_that_keeps_repeats_is_wrong(known: Mapping[str, bool | None], state: State) -> None:
    assert messages.judged_repeats(dict(known)).state is state


@pytest.mark.parametrize(("disabled", "state"), [("true", State.SKIPPED), ("1", State.SKIPPED), ("", State.WRONG)])
def test_without_a_namespace_the_trigger_must_be_off(
    monkeypatch: pytest.MonkeyPatch, disabled: str, state: State
) -> None:
    monkeypatch.setenv(messages.DISABLED, disabled)
    services = SimpleNamespace(settings=SimpleNamespace(service_bus=ServiceBus()))

    assert found("service_bus.requests", services).state is state


@pytest.mark.parametrize(
    ("dead", "state", "said"),
    [
        (0, State.OK, "none"),
        (1, State.WRONG, "1 message in"),
        (MOST_DEAD, State.WRONG, "or more"),
        (PermanentError("no right", code=Code.BAD_CONFIGURATION), State.SKIPPED, "service_bus.requests"),
        (TransientError("busy"), State.UNKNOWN, "busy"),
    ],
)
def test_requests_that_were_given_up_are_named(
    monkeypatch: pytest.MonkeyPatch, dead: int | Exception, state: State, said: str
) -> None:
    def count(*_: object) -> int:
        if isinstance(dead, Exception):
            raise dead
        return dead

    monkeypatch.setattr(messages, "dead_letters", count)
    settings = SimpleNamespace(service_bus=ServiceBus(namespace="sb-x.servicebus.windows.net"))
    finding = found("service_bus.dead_letters", SimpleNamespace(settings=settings, bus=None))

    assert finding.state is state
    assert said in finding.found
    without = SimpleNamespace(settings=SimpleNamespace(service_bus=ServiceBus()))
    assert found("service_bus.dead_letters", without).state is State.SKIPPED


@pytest.mark.parametrize(
    ("attached", "state", "said"),
    [
        (None, State.OK, "not attached yet"),
        (AttachedCompute("10.0.0.4", 22, "Succeeded"), State.OK, "attached at 10.0.0.4:22"),
        (AttachedCompute("10.0.0.9", 22, "Succeeded"), State.WRONG, "attached at 10.0.0.9:22"),
        (AttachedCompute("10.0.0.4", 2222, "Succeeded"), State.WRONG, "attached at 10.0.0.4:2222"),
        (AttachedCompute("10.0.0.4", 22, "Failed"), State.WRONG, "failed"),
        (AttachedCompute("10.0.0.4", 22, "Creating"), State.UNKNOWN, "creating"),
    ],
)
def test_a_compute_is_attached_where_the_settings_say(attached: Any, state: State, said: str) -> None:
    workspace = SimpleNamespace(require_access=lambda: None, attached=lambda _: attached)
    services = SimpleNamespace(workspace=workspace, settings=SimpleNamespace(compute=lambda _: VM))

    finding = found("azure_ml.compute", services, "hub-vm")

    assert finding.state is state
    assert said in finding.found


@pytest.mark.parametrize(
    ("raised", "state", "see"),
    [
        (None, State.SKIPPED, "data.holdout"),
        (PermanentError("no container", code=Code.NO_DATA), State.SKIPPED, "data.container"),
        (PermanentError("refused", code=Code.BAD_CONFIGURATION), State.SKIPPED, "hub.list"),
        (PermanentError("too many", code=Code.BAD_PIPELINE), State.WRONG, "too many"),
        (TransientError("busy"), State.UNKNOWN, "busy"),
    ],
)
def test_what_checks_of_the_site_name_is_not_named_again(raised: Exception | None, state: State, see: str) -> None:
    def page(_: Any) -> None:
        if raised:
            raise raised

    pipeline = SimpleNamespace(data=SimpleNamespace(site="factory"))
    hub = SimpleNamespace(page=page, holdout=lambda _: None)
    services = SimpleNamespace(
        pipelines=SimpleNamespace(broken={}, get=lambda _: pipeline), hubs=SimpleNamespace(hub=lambda _: hub)
    )

    finding = found("pipeline.dry_run", services, "p")

    assert finding.state is state
    assert see in finding.found


def test_a_workspace_that_refuses_is_asked_once() -> None:
    asked: list[int] = []

    def refuse() -> None:
        asked.append(1)
        raise PermanentError("the secret has expired", code=Code.BAD_CONFIGURATION)

    services: Any = SimpleNamespace(workspace=SimpleNamespace(require_access=refuse))
    findings = run(looks(azure_ml_checks(), services, {Kind.APP: [""], Kind.COMPUTE: ["a"]}))

    assert [each.state for each in findings] == [State.WRONG, State.WRONG]
    assert len(asked) == 1


STORAGE = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=YWJj;EndpointSuffix={}"


@pytest.mark.parametrize(
    ("ours", "theirs", "state"),
    [
        ("core.windows.net", "local.azurestack.external", State.OK),
        ("local.azurestack.external", "local.azurestack.external", State.WRONG),
        ("core.windows.net", "core.windows.net", State.WRONG),  # the very same account
    ],
)
def test_the_hosts_storage_is_not_the_hubs(ours: str, theirs: str, state: State) -> None:
    storage = HostStorage.model_validate({"connection_string": STORAGE.format(ours)})
    site = Site.model_validate({"connection_string": STORAGE.format(theirs)})
    settings = SimpleNamespace(host_storage=storage, sites={"factory": site}, site=lambda _: site)

    assert found("host_storage.elsewhere", SimpleNamespace(settings=settings)).state is state


def test_the_host_storage_by_identity_and_by_address_is_compared_too() -> None:
    storage = HostStorage(blobs="https://one.blob.core.windows.net/", tables="https://one.table.core.windows.net/")
    text = "BlobEndpoint=http://127.0.0.1:1/devstoreaccount1;AccountName=devstoreaccount1;AccountKey=YWJj"
    site = Site.model_validate({"connection_string": text})
    settings = SimpleNamespace(host_storage=storage, sites={"factory": site}, site=lambda _: site)

    assert found("host_storage.elsewhere", SimpleNamespace(settings=settings)).state is State.OK


@pytest.mark.parametrize(
    ("ago", "state"), [(None, State.SKIPPED), (timedelta(minutes=50), State.OK), (timedelta(hours=4), State.WRONG)]
)
def test_a_watch_that_stands_still_is_named(ago: timedelta | None, state: State) -> None:
    ledger = Ledger.over(MemoryTables())
    if ago is not None:
        ledger.upkeep.note(WATCHED, datetime.now(UTC) - ago)

    assert found("watch.alive", SimpleNamespace(ledger=ledger)).state is state
    assert found("host_storage.tables", SimpleNamespace(ledger=ledger)).state is State.OK
    assert ledger.upkeep.last(NOTE) is not None


def test_a_run_that_has_ended_and_holds_its_compute_is_named() -> None:
    services = SimpleNamespace(ledger=Ledger.over(MemoryTables()))
    request = a_run_request()
    ledger = services.ledger

    def held_since(ago: timedelta) -> Finding:
        lease = SimpleNamespace(run_id=request.run_id, granted_at=datetime.now(UTC) - ago)
        ledger.computes.state = lambda _: SimpleNamespace(holders=(lease,), waiting=())
        return found("orphans.leases", services, "hub-vm")

    assert held_since(timedelta(minutes=1)).state is State.OK
    assert "does not know" in held_since(timedelta(hours=2)).found
    ledger.runs.claim_run(request)
    record = ledger.runs.run(request.run_id)
    assert record is not None
    assert held_since(timedelta(hours=2)).state is State.OK  # it may take days
    ledger.runs.record_run(replace(record, outcome=Outcome.FAILED, ended_at=datetime.now(UTC) - timedelta(hours=2)))
    assert "has ended as failed" in held_since(timedelta(hours=3)).found


def test_a_window_that_nobody_decides_on_is_named() -> None:
    settle = SimpleNamespace(longest_wait_seconds=900.0)
    opened = [datetime.now(UTC) - timedelta(minutes=70)]
    windows = [SimpleNamespace(window=SimpleNamespace(pipeline="p"), opened_at=opened[0])]
    services = SimpleNamespace(
        pipelines=SimpleNamespace(all=[SimpleNamespace(name="p", settle=settle)]),
        ledger=SimpleNamespace(arrivals=SimpleNamespace(unfinished_windows=lambda: windows)),
    )

    assert found("orphans.windows", services, "p").state is State.OK
    windows[0].opened_at = datetime.now(UTC) - timedelta(minutes=80)
    assert found("orphans.windows", services, "p").state is State.WRONG
    assert found("orphans.windows", services, "another").state is State.OK
