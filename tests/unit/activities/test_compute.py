from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.acquire_compute import MOST_CHECKED, acquire_compute
from shared.clients.ledger import Ledger
from shared.clients.ledger.computes import ComputeLedger
from shared.clients.ledger.tables import Row, Table
from shared.errors import TransientError
from shared.messages import (
    Approval,
    ApprovalRule,
    ComputeTicket,
    ComputeTurn,
    DeliveryRule,
    Outcome,
    QueuePolicy,
    QueueRule,
    RunRecord,
    RunRequest,
    TargetPlan,
    Turn,
    delivery_of,
)
from tests.support.arrivals import a_run_record
from tests.support.builders import a_plan, a_run_request, a_snapshot
from tests.support.computes import COMPUTE, a_ticket
from tests.support.examples import examples
from tests.support.memory_tables import MemoryTable, memory_ledger
from tests.support.workflow import START

Answer = TypeVar("Answer")


@dataclass
class Runs:
    """The records of runs; notes who was asked for."""

    ended: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    requests: dict[str, RunRequest] = field(default_factory=dict)

    def run(self, run_id: str) -> RunRecord | None:
        self.asked.append(run_id)
        if run_id.startswith("unknown"):
            return None
        return a_run_record(run_id=run_id, outcome=Outcome.FAILED if run_id in self.ended else None)

    def request(self, run_id: str) -> RunRequest | None:
        return self.requests.get(run_id)


@pytest.fixture
def ledger() -> Ledger:
    return memory_ledger()


@pytest.fixture
def runs() -> Runs:
    return Runs()


NOBODY = memory_ledger().approvals
Acquire = Callable[..., ComputeTurn]


@pytest.fixture
def acquire(ledger: Ledger, runs: Runs) -> Acquire:
    def asking(run_id: str, *, policy: QueuePolicy = QueuePolicy.QUEUE, slots: int = 1) -> ComputeTurn:
        ticket = a_ticket(run_id, policy=policy)
        return acquire_compute(
            ticket, slots=slots, queues=ledger.computes, runs=runs, approvals=ledger.approvals, now=START
        )

    return asking


def release(ledger: Ledger, run_id: str) -> None:
    ledger.computes.give_back(COMPUTE, run_id, START)


def test_one_trains_and_the_others_take_their_turns(ledger: Ledger, acquire: Acquire) -> None:
    assert [acquire(run).turn for run in ("a", "b", "c")] == [Turn.GRANTED, Turn.WAITING, Turn.WAITING]

    release(ledger, "a")
    release(ledger, "a")

    assert [acquire(run).turn for run in ("c", "b")] == [Turn.WAITING, Turn.GRANTED]


def test_computes_have_queues_of_their_own(ledger: Ledger, acquire: Acquire) -> None:
    acquire("a")

    assert ledger.computes.state("another-vm").holders == ()
    assert [lease.run_id for lease in ledger.computes.state(COMPUTE).holders] == ["a"]


def test_a_run_that_gets_it_at_once_checks_no_other(acquire: Acquire, runs: Runs) -> None:
    acquire("a", slots=2)
    acquire("b", slots=2)

    assert runs.asked == ["a", "b"]


PIPELINE = "breast-cancer"
HOLDER = a_run_request(
    run_id="holder",
    snapshot=a_snapshot(taken_at=START),
    plan=a_plan(
        targets=(TargetPlan(name="vm-1", health_seconds=30), TargetPlan(name="vm-2", health_seconds=30)),
        delivery=DeliveryRule(approval=ApprovalRule()),
    ),
)


def for_delivery(run_id: str, **changes: Any) -> ComputeTicket:
    ticket = ComputeTicket(
        compute=delivery_of(PIPELINE),
        run_id=run_id,
        pipeline=PIPELINE,
        rule=QueueRule(),
        asked_at=START,
        expected_seconds=60,
        data_at=START + timedelta(hours=1),
        takes_over="it is ready",
    )
    return replace(ticket, **changes)


def decisions_after(holder: RunRequest, ticket: ComputeTicket, *decided: Approval) -> list[Approval]:
    """What the ledger holds about the holder once somebody else asked for the delivery."""
    ledger, runs = memory_ledger(), Runs(requests={holder.run_id: holder})
    for each in decided:
        ledger.approvals.decide(each)
    for asked in (for_delivery(holder.run_id), ticket, ticket):
        turn = acquire_compute(asked, slots=1, queues=ledger.computes, runs=runs, approvals=ledger.approvals, now=START)
    assert turn.turn is Turn.WAITING, "who waits for approval has the delivery until its run has ended"
    return [ledger.approvals.of(holder.run_id, target.name) for target in holder.plan.targets]


def test_a_run_that_waits_for_approval_gives_way_to_a_newer_one_that_is_ready() -> None:
    decisions = decisions_after(HOLDER, for_delivery("newer"))

    assert [each.approved for each in decisions] == [False, False]
    assert {(each.superseded_by, each.by, each.reason) for each in decisions} == {("newer", "", "it is ready")}


def test_what_somebody_approved_is_rolled_out_and_only_what_waits_gives_way() -> None:
    yes = Approval(run_id="holder", target="vm-1", approved=True, by="ada", at=START)

    first, second = decisions_after(HOLDER, for_delivery("newer"), yes)

    assert first == yes
    assert second.superseded_by == "newer"


@pytest.mark.parametrize(
    ("holder", "ticket"),
    [
        (HOLDER, for_delivery("not ready", takes_over="")),
        (HOLDER, for_delivery("older", data_at=START - timedelta(hours=1))),
        (replace(HOLDER, plan=replace(HOLDER.plan, delivery=DeliveryRule())), for_delivery("newer")),
    ],
    ids=["one that would not be promoted", "one with older data", "a holder that waits for nobody"],
)
def test_nobody_else_gives_way(holder: RunRequest, ticket: ComputeTicket) -> None:
    assert [each.approved for each in decisions_after(holder, ticket)] == [None, None]


def test_an_operator_takes_over_whatever_the_data() -> None:
    decisions = decisions_after(HOLDER, for_delivery("back-1", data_at=None, takes_over="ada rolls vm-1 back"))

    assert {each.superseded_by for each in decisions} == {"back-1"}


def test_a_dead_holder_makes_room_for_the_first_that_asks(acquire: Acquire, runs: Runs) -> None:
    acquire("a")
    runs.ended.add("a")

    assert acquire("b").turn is Turn.GRANTED


def test_a_whole_row_of_dead_runs_makes_room_in_one_step(ledger: Ledger, acquire: Acquire, runs: Runs) -> None:
    """Those far back are looked at when they have come to the front; that is what the loop is for."""
    dead = [f"dead-{number}" for number in range(MOST_CHECKED + 20)]
    for run in (*dead, "b"):
        acquire(run)
    runs.ended |= set(dead)

    assert acquire("b").turn is Turn.GRANTED
    assert ledger.computes.state(COMPUTE).waiting == ()


def test_a_choosy_run_is_not_refused_because_of_a_dead_one(acquire: Acquire, runs: Runs) -> None:
    acquire("a")
    assert acquire("b", policy=QueuePolicy.REJECT).turn is Turn.REFUSED

    runs.ended.add("a")
    assert acquire("b", policy=QueuePolicy.REJECT).turn is Turn.GRANTED


def test_a_run_that_has_ended_gets_nothing_though_the_compute_is_free(
    ledger: Ledger, acquire: Acquire, runs: Runs
) -> None:
    runs.ended.add("a")

    assert acquire("a").turn is Turn.REFUSED
    assert ledger.computes.state(COMPUTE).holders == ()


def test_a_run_that_the_ledger_does_not_know_is_left_alone(acquire: Acquire) -> None:
    acquire("unknown-1")

    assert acquire("b").turn is Turn.WAITING


def test_asking_again_and_waiting_writes_nothing(ledger: Ledger, acquire: Acquire) -> None:
    acquire("a")
    first = acquire("b")
    table = ledger.computes._queue
    written: list[str] = []
    table.before = written.append  # type: ignore[attr-defined]

    assert acquire("b") == first
    assert set(written) == {"get"}


@dataclass
class LossyTable:
    """A table whose writes are made, but some of whose answers are lost."""

    table: Table
    lost: set[int]
    writes: int = 0

    def get(self, partition: str, key: str) -> Row | None:
        return self.table.get(partition, key)

    def insert(self, *rows: Row) -> bool:
        return self._answered(self.table.insert(*rows))

    def update(self, *rows: Row) -> bool:
        return self._answered(self.table.update(*rows))

    def _answered(self, answer: bool) -> bool:
        self.writes += 1
        if self.writes in self.lost:
            raise TransientError("no answer")
        return answer


@dataclass
class Site:
    """A compute with its real queue, and runs that ask, give back and die; activities are tried until they answer."""

    slots: int
    queues: ComputeLedger
    runs: Runs = field(default_factory=Runs)
    left: set[str] = field(default_factory=set)

    def ask(self, run_id: str) -> Turn:
        ticket = a_ticket(run_id)
        return tried(
            lambda: acquire_compute(
                ticket, slots=self.slots, queues=self.queues, runs=self.runs, approvals=NOBODY, now=START
            )
        ).turn

    def play(self, what: str, run_id: str) -> None:
        if what == "die":
            self.runs.ended.add(run_id)
        elif what == "release":
            self.left.add(run_id)
            tried(lambda: self.queues.give_back(COMPUTE, run_id, START))
        elif run_id not in self.left:
            self.asks(run_id)

    def asks(self, run_id: str) -> None:
        turn = self.ask(run_id)
        assert (turn is Turn.REFUSED) == (run_id in self.runs.ended)
        if turn is Turn.WAITING:
            present = self.present()
            ahead = present[: present.index(run_id)]
            assert not self.runs.ended & {*ahead}, "no run that has ended is before it"

    def present(self) -> list[str]:
        state = self.queues.state(COMPUTE)
        assert len(state.holders) <= self.slots
        return [lease.run_id for lease in state.holders] + [ticket.run_id for ticket in state.waiting]


def tried(step: Callable[[], Answer]) -> Answer:
    while True:
        with suppress(TransientError):
            return step()


@examples(80, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["ask", "ask", "ask", "release", "die"]), st.integers(0, 7)), min_size=5, max_size=40
    ),
    slots=st.integers(1, 2),
    lost=st.sets(st.integers(1, 30)),
)
def test_whatever_happens_no_dead_run_stays_and_everybody_who_lives_has_a_turn(
    steps: list[tuple[str, int]], slots: int, lost: set[int]
) -> None:
    site = Site(slots, ComputeLedger(cast("Table", LossyTable(MemoryTable(), lost))))

    for what, number in steps:
        site.play(what, f"run-{number}")
        site.present()

    for run_id in [run_id for run_id in site.present() if run_id not in site.runs.ended]:
        assert site.ask(run_id) is Turn.GRANTED, "in their order, each as soon as those before it have ended"
        site.runs.ended.add(run_id)
