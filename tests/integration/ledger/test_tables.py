"""The contract of tables, kept by Azure's through our own encoding of transactions."""

import pytest

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger.azure_tables import AzureTable, AzureTables
from shared.clients.ledger.tables import Insert, Row
from shared.errors import PermanentError
from tests.support.table_contract import TableContract


@pytest.fixture
def table(access: StorageAccess, prefix: str) -> AzureTable:
    return AzureTables(access, prefix).table("contract")


class TestAzureTable(TableContract):
    """The contract."""


def test_a_transaction_that_the_service_cannot_take_is_permanent(table: AzureTable) -> None:
    table.insert(Row("p", "made", {}))
    with pytest.raises(PermanentError, match="AzureWebJobsStorage"):
        table.transact(Insert(Row("p", "a", {"x": "x" * 40_000})), Insert(Row("p", "b", {})))
    assert [row.key for row in table.rows("p")] == ["made"]
