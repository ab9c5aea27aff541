"""Tickets and queues with sensible values; a test names only what it is about."""

from datetime import datetime, timedelta

from shared.decisions.training.compute_queue import MOST_WAITING, Lease, QueueState
from shared.messages import ComputeTicket, QueuePolicy, QueueRule
from tests.support.workflow import START

COMPUTE = "hub-vm"


def a_ticket(
    run_id: str,
    *,
    pipeline: str = "digits",
    policy: QueuePolicy = QueuePolicy.QUEUE,
    priority: int = 0,
    at: datetime = START,
    expected: float = 60,
) -> ComputeTicket:
    rule = QueueRule(policy=policy, priority=priority)
    return ComputeTicket(
        compute=COMPUTE, run_id=run_id, pipeline=pipeline, rule=rule, asked_at=at, expected_seconds=expected
    )


def a_lease(run_id: str) -> Lease:
    return Lease(run_id=run_id, pipeline="digits", granted_at=START, expected_seconds=60)


def a_full_queue() -> QueueState:
    """As large as it can be: the most slots of a compute, the longest names."""
    run_id, pipeline = f"{'p' * 48}-{'f' * 12}-999", "p" * 48
    ticket = ComputeTicket(
        compute="c" * 48,
        run_id=run_id,
        pipeline=pipeline,
        rule=QueueRule(priority=-100),
        asked_at=START + timedelta(microseconds=999_999),
        expected_seconds=1234567.891,
    )
    lease = Lease(run_id=run_id, pipeline=pipeline, granted_at=ticket.asked_at, expected_seconds=1234567.891)
    return QueueState(
        holders=(lease,) * 50,
        waiting=(ticket,) * MOST_WAITING,
        superseded={f"{run_id}{number:03}": run_id for number in range(MOST_WAITING)},
        slots=50,
    )
