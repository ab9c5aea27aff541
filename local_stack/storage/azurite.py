"""Azurite, Microsoft's own implementation of Azure Storage for development: how it is started and addressed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.hub.sas import Signer

HOST: Final = "127.0.0.1"
NODE_MODULES: Final = Path(__file__).resolve().parents[1] / "node_modules"
_PROGRAMS: Final = NODE_MODULES / "azurite" / "dist" / "src"


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account with its two keys."""

    name: str
    key1: str = field(repr=False)
    key2: str = field(repr=False)

    def signer(self) -> Signer:
        """Signs with the first key, for as long as anything here may last."""
        return Signer(account=self.name, key=self.key1, ends="2099-01-01T00:00:00Z")


def all_services(*, data: Path, blob: int, queue: int, table: int) -> list[str]:
    """The command of an Azurite with blobs, queues and tables on the given ports."""
    ports = ["--blobPort", str(blob), "--queuePort", str(queue), "--tablePort", str(table)]
    hosts = ["--blobHost", HOST, "--queueHost", HOST, "--tableHost", HOST]
    return ["node", str(_PROGRAMS / "azurite.js"), *hosts, *ports, *_common(data)]


def blobs_only(*, data: Path, blob: int) -> list[str]:
    """The command of an Azurite with blobs alone."""
    return ["node", str(_PROGRAMS / "blob" / "main.js"), "--blobHost", HOST, "--blobPort", str(blob), *_common(data)]


def _common(data: Path) -> list[str]:
    # The clients may know newer versions of the protocol than this Azurite; it then answers as best it can.
    return ["--location", str(data), "--silent", "--skipApiVersionCheck", "--disableTelemetry"]


def accounts_environment(account: Account) -> Mapping[str, str]:
    """The variable by which Azurite learns its account; it then does not know the well-known development one."""
    return {"AZURITE_ACCOUNTS": f"{account.name}:{account.key1}:{account.key2}"}


def account_in(environment: Mapping[str, str]) -> Account:
    """The account of :func:`accounts_environment`."""
    return Account(*environment["AZURITE_ACCOUNTS"].split(":"))


def endpoint(account: Account, port: int, *, scheme: str = "http") -> str:
    """A service's address for an account: the account's name is the first part of the path, as on no real host."""
    return f"{scheme}://{HOST}:{port}/{account.name}"


def connection_string(account: Account, key: str, **ports: int) -> str:
    """A connection string with one endpoint per keyword: ``blob=``, ``queue=``, ``table=``."""
    endpoints = ";".join(f"{kind.capitalize()}Endpoint={endpoint(account, port)}" for kind, port in ports.items())
    return f"DefaultEndpointsProtocol=http;AccountName={account.name};AccountKey={key};{endpoints};"
