from collections.abc import Iterator

import pytest

from local_stack.app_client import AppClient, app_client
from local_stack.supervisor import Stack
from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from tests.support.stack import running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One running stack for a worker's end-to-end tests; a test that stops a service starts it again."""
    with running_stack("breast-cancer", "digits", "diabetes", "scans") as stack:
        yield stack


@pytest.fixture
def app(stack: Stack) -> Iterator[AppClient]:
    with app_client(stack.endpoints) as client:
        yield client


@pytest.fixture(scope="session")
def ledger(stack: Stack) -> Iterator[Ledger]:
    opened = Ledger(StorageAccess.of(stack.endpoints["cloud_storage"]["connection_string"]), "edgetrain")
    yield opened
    opened.close()
