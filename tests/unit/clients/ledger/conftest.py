import pytest

from shared.clients.ledger import Ledger
from tests.support.memory_tables import MemoryTables


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables()


@pytest.fixture
def ledger(tables: MemoryTables) -> Ledger:
    return Ledger.over(tables)
