"""Acquire the compute for a run, or learn which runs it waits for."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from shared.decisions.delivery.superseding import gives_way, superseded
from shared.decisions.training.compute_queue import QueueState, ahead_of, ask
from shared.messages import Approval, ComputeTicket, ComputeTurn, RunRecord, RunRequest, Turn

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

    def request(self, run_id: str) -> RunRequest | None:
        """The request of a run; None when there is no such run."""


class Approvals(Protocol):
    """Keeps decisions on roll-outs."""

    def decide(self, approval: Approval) -> Approval:
        """Record a decision unless there is one already; returns the one that holds."""


def acquire_compute(
    ticket: ComputeTicket, *, slots: int, queues: Queues, runs: Runs, approvals: Approvals, now: datetime
) -> ComputeTurn:
    """Return a granted turn, or the runs that are ahead. Safe to repeat: a run that holds the compute is granted again.

    A run gives up its place only when the ledger has its outcome: a host that was away for hours finds its training
    still running. Runs that the ledger does not know keep their places. One that waits for somebody's approval is told
    to give way where the ticket says so; it ends by itself, and has its place until then.
    """
    checked = {ticket.run_id}
    ended = _ended(checked, runs)

    def rule(state: QueueState) -> tuple[QueueState, tuple[ComputeTurn, tuple[str, ...], int]]:
        changed, turn = ask(state, ticket, slots, now, ended)
        return changed, (turn, ahead_of(changed, ticket.run_id), len(changed.holders))

    while True:
        turn, ahead, holders = queues.change(ticket.compute, rule)
        new = set(ahead[:MOST_CHECKED]) - checked
        gone = _ended(new, runs) if turn.turn is not Turn.GRANTED else set()
        if not gone:
            if turn.turn is Turn.WAITING and ticket.takes_over:
                _supersede(ahead[:holders], ticket, runs, approvals, now)
            return turn
        checked |= new
        ended |= gone


def _supersede(
    holders: tuple[str, ...], ticket: ComputeTicket, runs: Runs, approvals: Approvals, now: datetime
) -> None:
    for run_id in holders:
        request = runs.request(run_id)
        if request is not None and gives_way(request, ticket):
            for decision in superseded(request, by=ticket.run_id, why=ticket.takes_over, now=now):
                approvals.decide(decision)


def _ended(run_ids: set[str], runs: Runs) -> set[str]:
    records = ((run_id, runs.run(run_id)) for run_id in sorted(run_ids))
    return {run_id for run_id, record in records if record is not None and record.outcome is not None}
