"""Acquire the compute for a run, or learn which runs it waits for."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from shared.decisions.training.compute_queue import QueueState, ahead_of, ask
from shared.messages import ComputeTicket, ComputeTurn, RunRecord, Turn

MOST_CHECKED = 60
"""Runs ahead whose end is looked for: all that can hold a compute, and ten that wait. The rest when they get there."""

Answer = TypeVar("Answer")


class Queues(Protocol):
    """Stores the queue of each compute."""

    def change(self, compute: str, rule: Callable[[QueueState], tuple[QueueState, Answer]]) -> Answer:
        """Apply a pure rule to a compute's queue in one atomic step; returns the rule's answer."""


class Runs(Protocol):
    """Reads run records."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run; None when there is no such run."""


def acquire_compute(ticket: ComputeTicket, *, slots: int, queues: Queues, runs: Runs, now: datetime) -> ComputeTurn:
    """Return a granted turn, or the runs that are ahead. Safe to repeat: a run that holds the compute is granted again.

    A run gives up its place only when the ledger has its outcome: a host that was away for hours finds its training
    still running. Runs that the ledger does not know keep their places.
    """
    checked = {ticket.run_id}
    ended = _ended(checked, runs)

    def rule(state: QueueState) -> tuple[QueueState, tuple[ComputeTurn, tuple[str, ...]]]:
        changed, turn = ask(state, ticket, slots, now, ended)
        return changed, (turn, ahead_of(changed, ticket.run_id))

    while True:
        turn, ahead = queues.change(ticket.compute, rule)
        new = set(ahead[:MOST_CHECKED]) - checked
        gone = _ended(new, runs) if turn.turn is not Turn.GRANTED else set()
        if not gone:
            return turn
        checked |= new
        ended |= gone


def _ended(run_ids: set[str], runs: Runs) -> set[str]:
    records = ((run_id, runs.run(run_id)) for run_id in sorted(run_ids))
    return {run_id for run_id, record in records if record is not None and record.outcome is not None}
