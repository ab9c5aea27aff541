"""Messages of the queues for a compute and for the delivery of a pipeline."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.messages.admission import QueueRule
from shared.messages.delivery import Champion

_DELIVERY = "delivery_"  # no compute's name has an underscore


def delivery_of(pipeline: str) -> str:
    """The queue name of a pipeline's delivery, used in place of a compute's name: one run at a time holds it."""
    return f"{_DELIVERY}{pipeline}"


def is_delivery(compute: str) -> bool:
    """Whether the queue name is of a delivery, not of a compute."""
    return compute.startswith(_DELIVERY)


def in_words(compute: str) -> str:
    """The compute or delivery, in words."""
    if is_delivery(compute):
        return f"the delivery of pipeline {compute.removeprefix(_DELIVERY)}"
    return f"compute {compute}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeTicket:
    """A run that wants a compute, or the delivery of its pipeline. ``expected_seconds``: how long it usually holds it.

    ``compute``: its name, or that of :func:`delivery_of`.

    ``asked_at``: when the run was asked for. ``data_at``: when its data were listed, by the hub's clock; of two runs of
    one pipeline the later one has the newer data, whichever was asked for first. ``takes_over``: why a run that has the
    delivery and only waits for somebody's approval gives way to this one; empty: it does not.
    """

    compute: str
    run_id: str
    pipeline: str
    rule: QueueRule
    asked_at: datetime
    expected_seconds: float
    data_at: datetime | None = None
    takes_over: str = ""


class Turn(StrEnum):
    """The state of a ticket in the queue."""

    GRANTED = "granted"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeTurn:
    """The queue's answer. ``position`` counts from 1 while waiting; ``reason`` is a sentence for people.

    ``free_at``: when the compute is expected to be free for this ticket; None when that is unknown. ``champion``: of a
    granted turn, the pipeline's champion, read once the turn was granted; None in answers from before.
    """

    turn: Turn
    position: int = 0
    reason: str = ""
    free_at: datetime | None = None
    champion: Champion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeWait:
    """The input of ``await_compute``, carried across continue-as-new. Rounds count from 0 over all executions."""

    ticket: ComputeTicket
    rounds: int = 0
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeRef:
    """A run and the compute that it gives back."""

    compute: str
    run_id: str
