from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from tests.support.azurite import running_azurite

_numbers = count()


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real table service; its connection string."""
    directory: Path = tmp_path_factory.mktemp("azurite-tables")
    with running_azurite(directory, services=["table"]) as connection_strings:
        yield connection_strings["testaccount"]


@pytest.fixture
def prefix() -> str:
    """Tables of their own for a test, which do not exist yet."""
    return f"test{next(_numbers)}"


@pytest.fixture
def ledger(tables: str, prefix: str) -> Iterator[Ledger]:
    client = Ledger(StorageAccess.of(tables), prefix)
    yield client
    client.close()
