"""Polling orchestration: wait for a run's turn in a queue (compute or delivery of the pipeline), with bounded history.

A round asks the queue, then waits on a durable timer: briefly when the turn is near, longer otherwise
(``shared.decisions.training.compute_queue``). Activities cannot wake an orchestration, hence the polling. After
:data:`ROUNDS_PER_EXECUTION` rounds it continues as new.
"""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import azure.durable_functions as df

from orchestrations.failures import AttributedError, failure_of
from orchestrations.progress import report
from shared.contracts import ACQUIRE_COMPUTE, RELEASE_COMPUTE
from shared.decisions.training.compute_queue import ask_again_at
from shared.messages import (
    ComputeRef,
    ComputeTicket,
    ComputeTurn,
    ComputeWait,
    FailureKind,
    QueueRule,
    RunRequest,
    Stage,
    Strategy,
    Turn,
    delivery_of,
)
from shared.orchestration_ids import compute_id, delivery_id
from shared.values.wire import from_wire, to_wire

NAME = "await_compute"
ROUNDS_PER_EXECUTION = 20
DELIVERY_SECONDS = 20.0
"""Usual duration of a delivery without canary; only decides how often to poll."""


class QueueFailedError(AttributedError):
    """The queue could not be read; the text says what to do."""


def await_compute(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Output: a ``ComputeTurn``, granted or refused, or ``{"failed": reason, "kind": kind}``. Never raises."""
    wait = from_wire(ComputeWait, context.get_input())
    try:
        for _ in range(ROUNDS_PER_EXECUTION):
            turn = yield from ACQUIRE_COMPUTE.call(context, wait.ticket)
            if turn.turn is not Turn.WAITING:
                return to_wire(turn)
            wait = replace(wait, rounds=wait.rounds + 1)
            _report(context, wait.ticket, turn)
            yield context.create_timer(ask_again_at(turn, wait.ticket, context.current_utc_datetime))
    except Exception as error:  # noqa: BLE001 - refused for good, or retries ran out; the SDK knows no narrower type
        kind, reason = failure_of(error)
        return {"failed": reason, "kind": (kind or FailureKind.UNKNOWN).value}
    context.continue_as_new(to_wire(wait))
    return None


def start(context: df.DurableOrchestrationContext, request: RunRequest) -> Any:
    """The task that waits for the run's compute. The caller must :func:`give_back` it, however the run ends."""
    ticket = ComputeTicket(
        compute=request.plan.compute,
        run_id=request.run_id,
        pipeline=request.pipeline,
        rule=request.plan.queue,
        asked_at=request.requested_at,
        expected_seconds=request.plan.limits.expected_seconds,
        data_at=request.snapshot.taken_at,
    )
    return context.call_sub_orchestrator(NAME, to_wire(ComputeWait(ticket=ticket)), compute_id(request.run_id))


def start_for_delivery(context: df.DurableOrchestrationContext, request: RunRequest, takes_over: str = "") -> Any:
    """The task that waits until no other run of the pipeline delivers. The caller must give back ``delivery_of`` it.

    ``takes_over``: why a run that only waits for approval gives way; empty: it does not.
    """
    ticket = ComputeTicket(
        compute=delivery_of(request.pipeline),
        run_id=request.run_id,
        pipeline=request.pipeline,
        rule=QueueRule(),
        asked_at=context.current_utc_datetime,
        expected_seconds=_delivery_seconds(request.plan.delivery.strategy),
        data_at=request.snapshot.taken_at,
        takes_over=takes_over,
    )
    return context.call_sub_orchestrator(NAME, to_wire(ComputeWait(ticket=ticket)), delivery_id(request.run_id))


def _delivery_seconds(strategy: Strategy) -> float:
    return DELIVERY_SECONDS + len(strategy.steps) * strategy.soak_seconds + strategy.watch_seconds


def start_with(context: df.DurableOrchestrationContext, ticket: ComputeTicket, instance_id: str) -> Any:
    """The task that waits for the ticket's turn. The caller must give it back."""
    return context.call_sub_orchestrator(NAME, to_wire(ComputeWait(ticket=ticket)), instance_id)


def outcome(reply: dict[str, Any]) -> ComputeTurn:
    """The turn in the task's reply; raises :class:`QueueFailedError`."""
    if "failed" in reply:
        raise QueueFailedError(reply["failed"], FailureKind(reply.get("kind", FailureKind.OUTSIDE)))
    return from_wire(ComputeTurn, reply)


def give_back(context: df.DurableOrchestrationContext, compute: str, run_id: str) -> Generator[Any, Any, None]:
    """Give the compute back. Errors are ignored: a run whose outcome is recorded loses its place anyway."""
    with suppress(Exception):
        yield from RELEASE_COMPUTE.call(context, ComputeRef(compute=compute, run_id=run_id))


def _report(context: df.DurableOrchestrationContext, ticket: ComputeTicket, turn: ComputeTurn) -> None:
    free_at = turn.free_at.isoformat() if turn.free_at else None
    report(context, Stage.WAITING, compute=ticket.compute, position=turn.position, reason=turn.reason, free_at=free_at)
