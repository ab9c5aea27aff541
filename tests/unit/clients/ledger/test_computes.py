from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.clients.ledger import Ledger
from shared.clients.ledger.computes import ComputeLedger
from shared.clients.ledger.tables import Row
from shared.decisions.training.compute_queue import QueueState
from shared.errors import TransientError
from tests.support.computes import a_full_queue, a_lease
from tests.support.memory_tables import MemoryTable, memory_ledger


def holding(*run_ids: str) -> QueueState:
    return QueueState(holders=tuple(map(a_lease, run_ids)))


def replacing(state: QueueState) -> Callable[[QueueState], tuple[QueueState, None]]:
    return lambda _: (state, None)


@pytest.fixture
def ledger() -> Ledger:
    return memory_ledger()


def test_a_queue_that_nobody_asked_for_is_empty(ledger: Ledger) -> None:
    assert ledger.computes.state("hub-vm") == QueueState()


def test_a_change_is_kept_and_its_answer_given(ledger: Ledger) -> None:
    assert ledger.computes.change("hub-vm", lambda state: (holding("a"), len(state.holders))) == 0
    assert ledger.computes.change("hub-vm", lambda state: (state, len(state.holders))) == 1
    assert ledger.computes.state("hub-vm") == holding("a")


def test_the_largest_queue_fits_the_row_and_a_smaller_one_leaves_nothing_of_it(ledger: Ledger) -> None:
    """The table in memory refuses values that are longer than the service's limit."""
    full = a_full_queue()

    ledger.computes.change("hub-vm", replacing(full))
    assert ledger.computes.state("hub-vm") == full

    ledger.computes.change("hub-vm", replacing(holding("a")))
    assert ledger.computes.state("hub-vm") == holding("a")


def test_a_rule_sees_what_somebody_else_wrote_meanwhile() -> None:
    table = MemoryTable()
    ours, theirs = ComputeLedger(table), ComputeLedger(table)
    seen: list[QueueState] = []

    def rule(state: QueueState) -> tuple[QueueState, None]:
        if not seen:
            theirs.change("hub-vm", replacing(holding("theirs")))
        seen.append(state)
        return replace(state, holders=(*state.holders, a_lease("ours"))), None

    ours.change("hub-vm", rule)

    assert seen == [QueueState(), holding("theirs")]
    assert ours.state("hub-vm") == holding("theirs", "ours")


def test_who_loses_every_race_is_asked_to_come_back() -> None:
    class Contested(MemoryTable):
        def insert(self, *rows: Row) -> bool:
            return False

    with pytest.raises(TransientError, match="raced for their turn at compute hub-vm"):
        ComputeLedger(Contested()).change("hub-vm", replacing(holding("a")))
