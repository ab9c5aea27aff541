import re
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from pydantic import SecretStr

from shared.clients.hub_storage import HubStorage
from shared.settings import HUB_API_VERSION, Site
from tests.support.azurite import a_storage_key, running_azurite
from tests.support.hub_guard import running_hub_guard

_numbers = count()


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Accounts of a real blob service: one that tests fill, one that stays empty, one made ready as for a site."""
    keys = {"hub": a_storage_key(), "empty": a_storage_key(), "new": a_storage_key()}
    with running_azurite(tmp_path_factory.mktemp("azurite-blobs"), services=["blob"], accounts=keys) as texts:
        yield texts


@pytest.fixture(scope="session")
def guarded(accounts: dict[str, str]) -> Iterator[dict[str, str]]:
    """The same accounts behind the guard, which refuses what a hub would refuse."""
    [port] = {
        int(found) for text in accounts.values() for found in re.findall(r"BlobEndpoint=http://[^:]+:(\d+)", text)
    }
    with running_hub_guard(port) as guard_port:
        yield {name: text.replace(f":{port}/", f":{guard_port}/") for name, text in accounts.items()}


@pytest.fixture
def site(guarded: dict[str, str]) -> Site:
    return Site(connection_string=SecretStr(guarded["hub"]))


@pytest.fixture
def hub(site: Site) -> Iterator[HubStorage]:
    client = HubStorage("factory", site)
    yield client
    client.close()


@pytest.fixture
def service(accounts: dict[str, str]) -> Iterator[BlobServiceClient]:
    """The data owner's own client."""
    with BlobServiceClient.from_connection_string(accounts["hub"], api_version=HUB_API_VERSION) as client:
        yield client


Fill = Callable[..., None]


@pytest.fixture
def fill(container: ContainerClient) -> Fill:
    """Upload blobs of these names, all with the same few bytes unless told otherwise."""

    def upload(*names: str, content: bytes = b"1,2\n") -> None:
        for name in names:
            container.upload_blob(name, content, overwrite=True)

    return upload


@pytest.fixture
def container(service: BlobServiceClient) -> Iterator[ContainerClient]:
    """A container of its own for a test."""
    with service.create_container(f"data-{next(_numbers)}") as client:
        yield client
