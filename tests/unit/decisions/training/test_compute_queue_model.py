"""The queue before a compute under every interleaving: questions, repeats, deaths, clock steps, changing slots."""

from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from shared.decisions.training.compute_queue import QueueState, ask, give_back
from shared.messages import ComputeTicket, ComputeTurn, QueuePolicy, QueueRule, Turn
from tests.support.examples import examples
from tests.support.workflow import START

PIPELINES = {
    "first": QueuePolicy.QUEUE,
    "second": QueuePolicy.QUEUE,
    "fast": QueuePolicy.LATEST_WINS,
    "faster": QueuePolicy.LATEST_WINS,
    "choosy": QueuePolicy.REJECT,
}


@dataclass
class Run:
    """What the model knows of a run. ``seq``: its place in the order of arrival; None: not in the queue."""

    ticket: ComputeTicket
    seq: int | None = None
    granted: bool = False
    gave_back: bool = False
    ended: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        assert self.seq is not None
        return -self.ticket.rule.priority, self.seq


@dataclass
class Model:
    runs: dict[str, Run] = field(default_factory=dict)
    arrivals: int = 0

    def arrive(self, run: Run, superseded: list[Run]) -> None:
        equals = [other.seq for other in superseded if other.ticket.rule.priority == run.ticket.rule.priority]
        run.seq = min((seq for seq in equals if seq is not None), default=self.arrivals)
        self.arrivals += 1


@dataclass(frozen=True)
class Kind:
    """How a run begins. ``late``: its first question comes after those of runs that were asked for later."""

    pipeline: str
    priority: int
    late: int
    asks: bool


KINDS = st.builds(
    Kind,
    pipeline=st.sampled_from(sorted(PIPELINES)),
    priority=st.sampled_from([0, 0, 0, 1, -1]),
    late=st.sampled_from([0, 0, 0, 50]),
    asks=st.sampled_from([True, True, True, False]),
)


class QueueMachine(RuleBasedStateMachine):
    """Plays runs that ask, repeat, give back and die, and holds the queue to its promises after every step."""

    runs = Bundle("runs")

    @initialize(target=runs, slots=st.integers(1, 2), kinds=st.lists(KINDS, min_size=3, max_size=6))
    def some_runs_begin(self, slots: int, kinds: list[Kind]) -> MultipleResults[Run]:
        self.slots = self.most_slots = slots
        self.now = START
        self.state = QueueState(slots=slots)
        self.model = Model()
        return multiple(*(self.begins(kind) for kind in kinds))

    # what happens

    @rule(target=runs, kind=KINDS)
    def a_run_begins(self, kind: Kind) -> Run:
        return self.begins(kind)

    @rule(run=runs, thorough=st.booleans())
    def a_run_asks(self, run: Run, thorough: bool) -> None:
        """For the first time, or again because the answer was lost; what is left of a dead run may ask too."""
        if run.gave_back:
            return
        turn = self.asks(run, thorough=thorough)
        assert not run.ended or turn.turn is Turn.REFUSED

    @rule(run=runs, times=st.integers(1, 2))
    def a_run_gives_back(self, run: Run, times: int) -> None:
        """At its end, or because it was refused, or while it waits; and late repeats of that."""
        run.gave_back = True
        for _ in range(times):
            self.gives_back(run)

    @rule(run=runs)
    def a_run_dies(self, run: Run) -> None:
        """The ledger has its outcome; the queue is told nothing."""
        run.ended = True

    @rule(seconds=st.integers(-7200, 7200))
    def the_clock_steps(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(slots=st.integers(1, 3))
    def somebody_changes_the_setting(self, slots: int) -> None:
        self.slots = slots
        self.most_slots = max(self.most_slots, slots)

    # what it does to the queue

    def begins(self, kind: Kind) -> Run:
        self.now += timedelta(seconds=1)
        run_id = f"{kind.pipeline}-{len(self.model.runs)}"
        ticket = ComputeTicket(
            compute="hub-vm",
            run_id=run_id,
            pipeline=kind.pipeline,
            rule=QueueRule(policy=PIPELINES[kind.pipeline], priority=kind.priority),
            asked_at=self.now - timedelta(seconds=kind.late),
            expected_seconds=60,
        )
        run = self.model.runs[run_id] = Run(ticket)
        if kind.asks:
            self.asks(run)
        return run

    def asks(self, run: Run, *, thorough: bool = True) -> ComputeTurn:
        ended = {run_id for run_id, other in self.model.runs.items() if other.ended}
        if not thorough:
            ended &= {run.ticket.run_id}
        before = self.state
        known = self.known(before)
        after, turn = ask(before, run.ticket, self.slots, self.now, ended)
        assert ask(after, run.ticket, self.slots, self.now, ended) == (after, turn), "a repeat is answered alike"

        if run.ticket.run_id not in known and run.ticket.run_id in self.present(after):
            superseded = [self.model.runs[run_id] for run_id in after.superseded if run_id not in before.superseded]
            for other in superseded:
                assert other.ticket.pipeline == run.ticket.pipeline
                assert other.ticket.asked_at <= run.ticket.asked_at, "only newer data supersede"
            self.model.arrive(run, superseded)
        assert not ended & (self.known(after)), "no run that is known to have ended holds, waits or is remembered"
        self.moves_to(after)
        if turn.turn is Turn.GRANTED:
            assert run.ticket.run_id in self.holders()
        if turn.turn is Turn.WAITING:
            assert self.waiting()[turn.position - 1] == run.ticket.run_id
            assert turn.free_at is not None
            assert turn.free_at >= self.now
        if turn.turn is Turn.REFUSED:
            assert run.ticket.run_id not in self.present(after)
            assert turn.reason
        return turn

    def gives_back(self, run: Run) -> None:
        after = give_back(self.state, run.ticket.run_id, self.now)
        assert give_back(after, run.ticket.run_id, self.now) == after
        assert run.ticket.run_id not in self.known(after)
        self.moves_to(after)

    def moves_to(self, after: QueueState) -> None:
        """Whoever was let in went before all that waited already and still do, and there was room."""
        before, self.state = self.state, after
        held = {lease.run_id for lease in before.holders}
        let_in = [self.model.runs[run_id] for run_id in self.holders() if run_id not in held]
        waited = {ticket.run_id for ticket in before.waiting}
        still = [self.model.runs[run_id] for run_id in self.waiting() if run_id in waited]
        for run in let_in:
            run.granted = True
            assert all(run.rank < other.rank for other in still), "first in, first out within a priority"
        if let_in:
            assert len(after.holders) <= after.slots
        stayed = held & set(self.holders())
        lost = held - stayed
        assert all(self.model.runs[run_id].ended or self.model.runs[run_id].gave_back for run_id in lost)

    # what holds at any time

    @invariant()
    def never_more_holders_than_slots(self) -> None:
        """After the setting was lowered those that train go on, but nobody is let in (see ``moves_to``)."""
        assert len(self.state.holders) <= self.most_slots
        assert not self.state.waiting or len(self.state.holders) >= self.state.slots, "nobody waits for a free compute"

    @invariant()
    def nobody_is_there_twice(self) -> None:
        everywhere = self.holders() + self.waiting() + list(self.state.superseded)
        assert len(set(everywhere)) == len(everywhere)

    @invariant()
    def the_order_is_by_priority_then_by_arrival(self) -> None:
        ranks = [self.model.runs[run_id].rank for run_id in self.waiting()]
        assert ranks == sorted(ranks)

    @invariant()
    def latest_wins_leaves_one_and_reject_none(self) -> None:
        pipelines = [ticket.pipeline for ticket in self.state.waiting]
        assert pipelines.count("fast") <= 1
        assert pipelines.count("faster") <= 1
        assert "choosy" not in pipelines

    def teardown(self) -> None:
        """Let every holder end, one after the other: each run that waits and lives is granted in the end."""
        if not hasattr(self, "state"):
            return
        for step in range(2 * len(self.model.runs) + 3):
            living = [self.model.runs[run_id] for run_id in self.waiting() if not self.model.runs[run_id].ended]
            if not living:
                break
            assert self.asks(living[-1]).turn in {Turn.WAITING, Turn.GRANTED}
            holder = self.model.runs[self.holders()[0]]
            if step % 2:
                holder.ended = True  # and nobody says so to the queue
            else:
                holder.gave_back = True
                self.gives_back(holder)
        assert not [run_id for run_id in self.waiting() if not self.model.runs[run_id].ended]

    # helpers

    def holders(self) -> list[str]:
        return [lease.run_id for lease in self.state.holders]

    def waiting(self) -> list[str]:
        return [ticket.run_id for ticket in self.state.waiting]

    @staticmethod
    def present(state: QueueState) -> set[str]:
        return {lease.run_id for lease in state.holders} | {ticket.run_id for ticket in state.waiting}

    def known(self, state: QueueState) -> set[str]:
        return self.present(state) | set(state.superseded)


QueueMachine.TestCase.settings = examples(150, stateful_step_count=40, deadline=None)
TestQueueMachine = QueueMachine.TestCase
