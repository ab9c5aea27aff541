"""The queue before a compute in a real table, raced for by many threads of several processes' worth of clients."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from activities.acquire_compute import acquire_compute
from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from shared.decisions.training.compute_queue import QueueState
from shared.errors import TransientError
from shared.messages import ComputeTurn, Outcome, Turn
from tests.support.arrivals import a_run_record
from tests.support.computes import COMPUTE, a_full_queue, a_ticket
from tests.support.workflow import START


@pytest.fixture
def ledgers(tables: str, prefix: str) -> Iterator[list[Ledger]]:
    """Clients that know nothing of each other, as in several processes."""
    clients = [Ledger(StorageAccess.of(tables), prefix) for _ in range(4)]
    yield clients
    for client in clients:
        client.close()


def ask(ledger: Ledger, run_id: str, slots: int = 1, priority: int = 0) -> ComputeTurn:
    ticket = a_ticket(run_id, priority=priority)
    while True:
        try:
            return acquire_compute(
                ticket, slots=slots, queues=ledger.computes, runs=ledger.runs, approvals=ledger.approvals, now=START
            )
        except TransientError:
            continue  # as the durable retry policy does


def give_back(ledger: Ledger, run_id: str) -> None:
    while True:
        try:
            ledger.computes.give_back(COMPUTE, run_id, START)
        except TransientError:
            continue
        return


class Vm:
    """Counts who trains."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.training: set[str] = set()
        self.most = 0
        self.order: list[str] = []

    def begin(self, run_id: str) -> None:
        with self._lock:
            self.training.add(run_id)
            self.order.append(run_id)
            self.most = max(self.most, len(self.training))

    def end(self, run_id: str) -> None:
        with self._lock:
            self.training.discard(run_id)


@pytest.mark.parametrize("slots", [1, 3])
def test_of_many_runs_never_more_train_than_there_are_slots_and_all_do(ledgers: list[Ledger], slots: int) -> None:
    vm = Vm()

    def run(number: int) -> None:
        ledger, run_id = ledgers[number % len(ledgers)], f"digits-abcdefabcdef-{number}"
        while ask(ledger, run_id, slots).turn is not Turn.GRANTED:
            pass
        vm.begin(run_id)
        assert ask(ledger, run_id, slots).turn is Turn.GRANTED, "asked again while it trains"
        vm.end(run_id)
        give_back(ledger, run_id)
        give_back(ledger, run_id)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(run, range(12)))

    assert len(vm.order) == len(set(vm.order)) == 12
    assert vm.most <= slots
    assert ledgers[0].computes.state(COMPUTE) == QueueState(slots=slots)


def test_all_who_ask_at_once_have_different_positions(ledgers: list[Ledger]) -> None:
    with ThreadPoolExecutor(16) as pool:
        turns = list(pool.map(lambda number: ask(ledgers[number % 4], f"run-{number}"), range(16)))

    assert sorted(turn.position for turn in turns) == list(range(16))


def test_runs_that_wait_have_the_compute_in_their_order(ledgers: list[Ledger]) -> None:
    for number, priority in enumerate((0, 0, 1, 0, 1)):
        ask(ledgers[number % 4], f"run-{number}", priority=priority)

    order = []
    for _ in range(5):
        (lease,) = ledgers[0].computes.state(COMPUTE).holders
        order.append(lease.run_id)
        give_back(ledgers[1], lease.run_id)
    assert order == ["run-0", "run-2", "run-4", "run-1", "run-3"]


def test_a_holder_whose_outcome_is_in_the_ledger_makes_room(ledger: Ledger) -> None:
    dead = "breast-cancer-abcdefabcdef-1"
    ask(ledger, dead)
    assert ask(ledger, "run-2").turn is Turn.WAITING

    ledger.runs.record_run(a_run_record(run_id=dead, outcome=Outcome.FAILED))

    assert ask(ledger, "run-2").turn is Turn.GRANTED


def test_the_largest_queue_fits_a_row_of_the_service(ledger: Ledger) -> None:
    full = a_full_queue()

    ledger.computes.change(COMPUTE, lambda _: (full, None))
    assert ledger.computes.state(COMPUTE) == full

    ledger.computes.change(COMPUTE, lambda _: (QueueState(), None))
    assert ledger.computes.state(COMPUTE) == QueueState()
