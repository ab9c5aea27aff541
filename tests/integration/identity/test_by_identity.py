"""Storage and Event Grid by the app's identity, and what happens when its tokens are no good."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo

from local_stack.identity.tokens import EVENT_GRID, MANAGEMENT, SERVICE_BUS, STORAGE, Issuer
from shared.clients.announcements import RunEventPublisher
from shared.clients.frozen_jobs import FrozenJobs
from shared.clients.host_storage import StorageAccess
from shared.clients.identity import CheckedCredential, managed_identity
from shared.clients.ledger.azure_tables import AzureTables
from shared.clients.ledger.tables import Insert, Row
from shared.clients.service_bus import RejectedMessage, TrainingResults
from shared.clients.service_bus_access import BusAccess
from shared.errors import Code, PermanentError, TransientError
from shared.messages import ReplyTo, RunEvent, RunEventKind
from shared.settings import Announcements, ServiceBus
from tests.integration.event_grid.stand_in import CLOUD_TOPIC, StandIn, running
from tests.support.arrivals import a_run_record
from tests.support.identity import Storage, TokenService, give_identity
from tests.support.jobs import a_job_tree
from tests.support.service_bus import BrokerProcess, an_address, running_broker
from tests.support.workflow import START

REJECTED = RejectedMessage(body=b"{", reason="no JSON", reply=ReplyTo(message_id="message-1"))
EVENT = RunEvent(kind=RunEventKind.FAILED, occurred_at=START, record=a_run_record())


class Given:
    """A credential that gives one token, whatever is asked for."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)

    def get_token_info(self, *_: str, **__: Any) -> AccessTokenInfo:
        return AccessTokenInfo(self.token, int(time.time()) + 3600)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory, tokens: TokenService) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("grid")
    with running(folder, arguments=("--issuer", str(tokens.state / "issuer.json"))) as stand_in:
        yield stand_in


@pytest.fixture
def bundle(storage: Storage, door: Storage, grid: StandIn, broker: BrokerProcess, tmp_path: Path) -> Path:
    """The authorities of all."""
    together = tmp_path / "all.pem"
    bundles = [storage.ca_bundle, door.ca_bundle]
    bundles += [Path(each.endpoints["by_token"]["ca_bundle"]) for each in (grid, broker)]
    together.write_bytes(b"".join(each.read_bytes() for each in bundles))
    return together


@pytest.fixture(autouse=True)
def an_app(tokens: TokenService, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_identity(monkeypatch, tokens, bundle)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, tokens: TokenService) -> Iterator[BrokerProcess]:
    state, issuer = tmp_path_factory.mktemp("bus") / "state", tokens.state / "issuer.json"
    with running_broker(state, issuer=issuer, namespace=an_address()) as process:
        yield process


Use = Callable[[Callable[[str], CheckedCredential]], object]


@pytest.fixture(params=["tables", "blobs", "tables behind a door", "blobs behind a door", "event_grid", "service_bus"])
def service(
    request: pytest.FixtureRequest, storage: Storage, door: Storage, grid: StandIn, broker: BrokerProcess
) -> tuple[str, str, Use]:
    """Its resource, what an error names, and a use of it by an identity."""
    kind, _, behind = str(request.param).partition(" ")
    account = (door if behind else storage).by_identity.storage

    def tables(identity: Callable[[str], CheckedCredential]) -> object:
        client = AzureTables(StorageAccess(account, identity), "byidentity")
        table = client.table("t")
        key = str(time.time_ns())
        assert table.transact(Insert(Row("p", key, {})), Insert(Row("p", f"{key}b", {}))) is None
        return table.get("p", key)

    def blobs(identity: Callable[[str], CheckedCredential]) -> object:
        jobs = FrozenJobs(StorageAccess(account, identity), "byidentity")
        return jobs.keep(a_job_tree())

    def event_grid(identity: Callable[[str], CheckedCredential]) -> object:
        topic = Announcements(endpoint=grid.endpoints["by_token"]["endpoints"][CLOUD_TOPIC])
        RunEventPublisher(topic, lambda: identity("")).publish(EVENT)
        return True

    def service_bus(identity: Callable[[str], CheckedCredential]) -> object:
        results = TrainingResults(BusAccess(ServiceBus(namespace=broker.endpoints["by_token"]["namespace"]), identity))
        try:
            results.quarantine(REJECTED)
        finally:
            results.close()
        return True

    found: dict[str, tuple[str, str, Use]] = {
        "service_bus": (SERVICE_BUS, "ServiceBusConnection", service_bus),
        "tables": (STORAGE, "AzureWebJobsStorage", tables),
        "blobs": (STORAGE, "AzureWebJobsStorage", blobs),
        "event_grid": (EVENT_GRID, "EDGETRAIN_ANNOUNCEMENTS__ENDPOINT", event_grid),
    }
    return found[kind]


def test_the_identity_alone_opens_it(service: tuple[str, str, Use]) -> None:
    assert service[2](managed_identity)


@pytest.mark.parametrize("wrong", ["audience", "expired", "not yet", "nonsense"])
def test_a_token_that_is_no_good_is_refused_for_good_and_names_the_setting(
    service: tuple[str, str, Use], tokens: TokenService, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    resource, setting, use = service
    issuer, client_id, now = Issuer.open(tokens.state / "issuer.json"), tokens.client_ids[0], int(time.time())
    tokens_that_are_wrong: dict[str, Callable[[], str]] = {
        "audience": lambda: issuer.issue(MANAGEMENT, client_id, now=now, seconds=3600),
        "expired": lambda: issuer.issue(resource, client_id, now=now - 7200, seconds=3600),
        "not yet": lambda: issuer.issue(resource, client_id, now=now + 3600, seconds=3600),
        "nonsense": lambda: "zq-no-token-zq",
    }
    token = tokens_that_are_wrong[wrong]()

    with caplog.at_level(logging.INFO), pytest.raises(PermanentError) as caught:
        use(lambda _: CheckedCredential(Given(token)))

    assert caught.value.code is Code.BAD_CONFIGURATION
    assert setting in caught.value.reason
    assert token not in f"{caught.value} {caplog.text}"
    assert token.split(".")[-1] not in f"{caught.value} {caplog.text}"


def test_without_its_authority_nobody_is_given_a_token(
    service: tuple[str, str, Use], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    with pytest.raises(TransientError):
        service[2](managed_identity)


def test_a_token_service_that_refuses_is_no_matter_of_the_store(service: tuple[str, str, Use]) -> None:
    with pytest.raises(PermanentError, match="AZURE_CLIENT_ID"):
        service[2](lambda _: managed_identity("nobody"))


def test_keys_are_taken_as_before(storage: Storage, door: Storage, grid: StandIn) -> None:
    for account in (storage, door):
        table = AzureTables(StorageAccess.of(account.connection_string), "bykey").table("t")
        assert table.insert(Row("p", "k", {}))
    topic = grid.endpoints["topics"][CLOUD_TOPIC]
    RunEventPublisher(Announcements(endpoint=topic["endpoint"], key=topic["key"])).publish(EVENT)
