"""The ledger as the app has it on Azure: by identity, at an account that takes keys too (other hosts use those)."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from tests.support.identity import Storage, TokenService, give_identity, storage_by_identity, token_service

_numbers = count()


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A real table service that takes keys and tokens."""
    directory: Path = tmp_path_factory.mktemp("azurite-tables")
    with storage_by_identity(directory, ["table"]) as storage:
        yield storage


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenService]:
    with token_service(tmp_path_factory.mktemp("identity")) as service:
        yield service


@pytest.fixture(autouse=True)
def an_app_with_an_identity(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if {"storage", "tables", "ledger", "access"} & set(request.fixturenames):
        storage: Storage = request.getfixturevalue("storage")
        give_identity(monkeypatch, request.getfixturevalue("tokens"), storage.ca_bundle)


@pytest.fixture
def tables(storage: Storage) -> str:
    """Its connection string."""
    return storage.connection_string


@pytest.fixture
def access(storage: Storage) -> StorageAccess:
    """The same account by the app's identity."""
    return storage.by_identity


@pytest.fixture
def prefix() -> str:
    """Tables of their own for a test, which do not exist yet."""
    return f"test{next(_numbers)}"


@pytest.fixture
def ledger(access: StorageAccess, prefix: str) -> Iterator[Ledger]:
    client = Ledger(access, prefix)
    yield client
    client.close()
