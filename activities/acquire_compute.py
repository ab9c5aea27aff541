"""Ask for a run's turn at its compute."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from shared.decisions.training.compute_queue import QueueState, ahead_of, ask
from shared.messages import ComputeTicket, ComputeTurn, RunRecord, Turn

MOST_LOOKED_AT = 60
"""Runs ahead whose end is looked for: all that can hold a compute, and ten that wait. The rest when they get there."""

Answer = TypeVar("Answer")


class Queues(Protocol):
    """Keeps the queue before each compute."""

    def change(self, compute: str, rule: Callable[[QueueState], tuple[QueueState, Answer]]) -> Answer:
        """Replace the queue by what the rule makes of it, in one step, and give the rule's answer."""


class Runs(Protocol):
    """Knows the records of runs."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record, or None for a run that it does not know."""


def acquire_compute(ticket: ComputeTicket, *, slots: int, queues: Queues, runs: Runs, now: datetime) -> ComputeTurn:
    """Grant, or say what the run waits for. Safe to repeat: a granted run is granted again.

    Only the ledger says that a run has ended, and so frees what it held: a host that was away for hours comes back to
    a training that still runs. A run that the ledger does not know is left alone.
    """
    looked_at = {ticket.run_id}
    ended = _ended(looked_at, runs)

    def rule(state: QueueState) -> tuple[QueueState, tuple[ComputeTurn, tuple[str, ...]]]:
        changed, turn = ask(state, ticket, slots, now, ended)
        return changed, (turn, ahead_of(changed, ticket.run_id))

    while True:
        turn, ahead = queues.change(ticket.compute, rule)
        new = set(ahead[:MOST_LOOKED_AT]) - looked_at
        gone = _ended(new, runs) if turn.turn is not Turn.GRANTED else set()
        if not gone:
            return turn
        looked_at |= new
        ended |= gone


def _ended(run_ids: set[str], runs: Runs) -> set[str]:
    records = ((run_id, runs.run(run_id)) for run_id in sorted(run_ids))
    return {run_id for run_id, record in records if record is not None and record.outcome is not None}
