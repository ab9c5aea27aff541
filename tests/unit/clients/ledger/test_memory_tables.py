"""Our own stand-in for tables keeps the contract that real ones keep, and refuses what they refuse."""

import pytest

from shared.clients.ledger.tables import Insert, Row
from tests.support.memory_tables import MemoryTable
from tests.support.table_contract import TableContract


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


class TestMemoryTable(TableContract):
    """The contract."""


@pytest.mark.parametrize(
    "row",
    [
        Row("p", "a/b", {}),
        Row("p#", "a", {}),
        Row("p", "a\x7f", {}),
        Row("p", "a" * 1025, {}),
        Row("p", "a", {"x": "x" * 32_769}),
        Row("p", "a", {"x": 2**31}),
        Row("p", "a", {"x": None}),
    ],
    ids=["slash", "hash", "control", "long key", "long text", "large number", "nothing"],
)
def test_what_the_service_refuses_is_a_fault_of_the_test(table: MemoryTable, row: Row) -> None:
    with pytest.raises(AssertionError):
        table.insert(row)


@pytest.mark.parametrize(
    "rows",
    [
        [Row("p", "a", {}), Row("p", "a", {})],
        [Row("p", "a", {}), Row("q", "b", {})],
        [Row("p", str(n), {}) for n in range(101)],
    ],
    ids=["a row twice", "two partitions", "too many"],
)
def test_so_is_a_transaction_that_it_refuses(table: MemoryTable, rows: list[Row]) -> None:
    with pytest.raises(AssertionError):
        table.transact(*map(Insert, rows))
