"""The token endpoint of the local stack as a process, and storage that takes its tokens."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from local_stack.azure_ml.tls import ensure_certificates, server_tls
from local_stack.identity.tokens import Issuer
from local_stack.storage.azurite import Account, endpoint
from local_stack.storage.by_token import door
from shared.clients.host_storage import StorageAccess
from shared.settings import HostStorage
from tests.support.azurite import Service, running_azurite
from tests.support.in_a_thread import in_a_thread
from tests.support.service_process import RestartableService


@dataclass
class TokenService(RestartableService):
    """``python -m local_stack.identity`` on one state folder."""

    def start(self) -> None:
        self.launch("local_stack.identity", *self.arguments)

    @property
    def environment(self) -> dict[str, str]:
        """What an app with this identity has in its environment."""
        return {name: str(self.endpoints[name]) for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}

    @property
    def client_ids(self) -> list[str]:
        found: list[str] = self.endpoints["client_ids"]
        return found

    def issued(self) -> dict[str, int]:
        """How many tokens were issued, by resource."""
        found: dict[str, int] = requests.get(f"{self.endpoints['url']}/_stats", timeout=30).json()["issued"]
        return found


@contextmanager
def token_service(folder: Path, *arguments: str) -> Iterator[TokenService]:
    """A running one that has ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    service = TokenService(folder, arguments=arguments)
    service.start()
    try:
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


@dataclass(frozen=True)
class Storage:
    """A storage account that takes keys and tokens, by TLS with an authority of its own."""

    connection_string: str = field(repr=False)
    addresses: Mapping[str, str]
    ca_bundle: Path

    @property
    def by_identity(self) -> StorageAccess:
        """Access with the app's identity, as settings without a key give it."""
        found = {kind: self.addresses.get(kind, "https://127.0.0.1:1/none") for kind in ("blobs", "tables")}
        return StorageAccess(HostStorage(**found))


@contextmanager
def storage_by_identity(folder: Path, services: Sequence[Service]) -> Iterator[Storage]:
    """Azurite with OAuth."""
    folder.mkdir(parents=True, exist_ok=True)
    chain, key, bundle = ensure_certificates(folder)
    with running_azurite(folder / "azurite", services=services, tls=(chain, key)) as accounts:
        text = accounts["testaccount"]
        fields = dict(part.partition("=")[::2] for part in text.split(";") if part)
        names = {"blobs": "BlobEndpoint", "tables": "TableEndpoint"}
        addresses = {kind: fields[name] for kind, name in names.items() if name in fields}
        yield Storage(text, addresses, bundle)


@contextmanager
def storage_behind_a_door(folder: Path, issuer: Path) -> Iterator[Storage]:
    """Blobs and tables as the local stack has them: Azurite without TLS, and before it what takes tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tls, bundle = server_tls(folder)
    with ExitStack() as stack:
        text = stack.enter_context(running_azurite(folder / "azurite"))["testaccount"]
        fields = dict(part.partition("=")[::2] for part in text.split(";") if part)
        account = Account(fields["AccountName"], fields["AccountKey"], fields["AccountKey"])
        addresses = {}
        for kind in ("blob", "table"):
            behind = urlsplit(fields[f"{kind.capitalize()}Endpoint"]).port
            assert behind is not None
            port = stack.enter_context(in_a_thread(door(kind, behind, account, Issuer.open(issuer)), tls))
            addresses[f"{kind}s"] = endpoint(account, port, scheme="https")
        yield Storage(text, addresses, bundle)


def give_identity(to: pytest.MonkeyPatch, tokens: TokenService, ca_bundle: Path | str) -> None:
    """Have this process be an app with an identity, that trusts this authority."""
    for name, value in (tokens.environment | {"REQUESTS_CA_BUNDLE": str(ca_bundle)}).items():
        to.setenv(name, value)
