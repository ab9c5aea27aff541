"""The queue before a compute target."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.messages.admission import QueueRule


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeTicket:
    """A run that wants a compute. ``expected_seconds``: how long it will usually hold it.

    ``asked_at``: when the run was asked for; of two runs of one pipeline the later one has the newer data.
    """

    compute: str
    run_id: str
    pipeline: str
    rule: QueueRule
    asked_at: datetime
    expected_seconds: float


class Turn(StrEnum):
    """What the queue says to a ticket."""

    GRANTED = "granted"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeTurn:
    """The queue's answer. ``position`` counts from 1 while waiting; ``reason`` is a sentence for people.

    ``free_at``: when the compute is expected to be free for this ticket, as far as that can be told.
    """

    turn: Turn
    position: int = 0
    reason: str = ""
    free_at: datetime | None = None


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
