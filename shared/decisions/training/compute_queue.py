"""The queue of a compute, or of a pipeline's delivery: who holds it, who waits, in which order. Pure.

Ordered by priority, then first in, first out by the queue's own order of requests: no clock can let a run overtake
another. No run is dropped because time has passed: it leaves by giving back, or because the caller found that it has
ended; the next one is granted in the same step.

Every request may be repeated, because its answer may be lost: a holder is granted again, a waiting run keeps its place,
a superseded run stays superseded until it gives back.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapreplace

from shared.messages import ComputeTicket, ComputeTurn, QueuePolicy, Turn, in_words

MOST_WAITING = 100  # runs in one queue, which is one row of the ledger
SHORTEST = timedelta(seconds=2)
LONGEST = timedelta(seconds=30)
IDLE_SHARE = 50  # a compute that becomes free stands idle for a fiftieth of the time waited so far, at the most
_NAMED = 3  # most runs that a sentence names
_LONGEST_GUESS = 30 * 86_400.0  # seconds; keeps a careless setting within the calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A run that holds the compute. ``expected_seconds``: its usual duration; nothing ends it after that."""

    run_id: str
    pipeline: str
    granted_at: datetime
    expected_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One compute's queue. ``waiting`` is in the order of turns; ``superseded``: run -> the run in its place.

    ``slots``: how many may hold the compute, as given with the last request, so that giving back needs no settings.
    """

    holders: tuple[Lease, ...] = ()
    waiting: tuple[ComputeTicket, ...] = ()
    superseded: dict[str, str] = field(default_factory=dict)
    slots: int = 1


def ask(
    state: QueueState, ticket: ComputeTicket, slots: int, now: datetime, ended: Collection[str] = frozenset()
) -> tuple[QueueState, ComputeTurn]:
    """Request the compute, for the first time or again. ``ended``: runs that the caller knows to have ended."""
    state = _granting(_without(replace(state, slots=slots), ended), now)
    if ticket.run_id in ended:
        return state, _refused(f"run {ticket.run_id} has ended already")
    if not _knows(state, ticket.run_id):
        refusal = _refusal(state, ticket)
        if refusal:
            return state, _refused(refusal)
        state = _granting(_joined(state, ticket), now)
    return state, _turn(state, ticket, now)


def give_back(state: QueueState, run_id: str, now: datetime) -> QueueState:
    """Remove the run from holders or waiting runs. Safe to repeat."""
    return _granting(_without(state, {run_id}), now)


def ahead_of(state: QueueState, run_id: str) -> tuple[str, ...]:
    """The runs that are ahead of a run, holders first."""
    waiting = [ticket.run_id for ticket in state.waiting]
    before = waiting[: waiting.index(run_id)] if run_id in waiting else waiting
    return (*(lease.run_id for lease in state.holders), *before)


def ask_again_at(turn: ComputeTurn, ticket: ComputeTicket, now: datetime) -> datetime:
    """When a waiting run asks next, between :data:`SHORTEST` and :data:`LONGEST` from now.

    Often when its turn is near, rarely while the trainings ahead of it cannot have ended.
    """
    remaining = (turn.free_at - now) / 4 if turn.free_at else SHORTEST
    waited = (now - ticket.asked_at) / IDLE_SHARE
    return now + min(max(remaining, waited, SHORTEST * max(turn.position, 1)), LONGEST)


def _knows(state: QueueState, run_id: str) -> bool:
    present = [lease.run_id for lease in state.holders] + [ticket.run_id for ticket in state.waiting]
    return run_id in present or run_id in state.superseded


def _without(state: QueueState, gone: Collection[str]) -> QueueState:
    return replace(
        state,
        holders=tuple(lease for lease in state.holders if lease.run_id not in gone),
        waiting=tuple(ticket for ticket in state.waiting if ticket.run_id not in gone),
        superseded={run_id: by for run_id, by in state.superseded.items() if run_id not in gone},
    )


def _granting(state: QueueState, now: datetime) -> QueueState:
    """Grant the next runs while there are free slots."""
    free = max(state.slots - len(state.holders), 0)
    leases = tuple(
        Lease(
            run_id=ticket.run_id,
            pipeline=ticket.pipeline,
            granted_at=now,
            expected_seconds=ticket.expected_seconds,
        )
        for ticket in state.waiting[:free]
    )
    return replace(state, holders=state.holders + leases, waiting=state.waiting[free:])


def _refusal(state: QueueState, ticket: ComputeTicket) -> str:
    """Why a new run may not even wait; empty when it may."""
    if ticket.rule.policy is QueuePolicy.REJECT and len(state.holders) >= state.slots:
        return (
            f"{_taken(state, ticket)}, and train.queue.policy of {ticket.pipeline} is reject; start the run again later"
        )
    if len(state.waiting) >= MOST_WAITING and not _replaceable(state, ticket):
        return f"{MOST_WAITING} runs wait for {in_words(ticket.compute)} already; start the run again when fewer do"
    return ""


def _replaceable(state: QueueState, ticket: ComputeTicket) -> list[ComputeTicket]:
    """The waiting runs of the same pipeline that a new run supersedes, or is superseded by."""
    if ticket.rule.policy is not QueuePolicy.LATEST_WINS:
        return []
    return [other for other in state.waiting if other.pipeline == ticket.pipeline]


def _joined(state: QueueState, ticket: ComputeTicket) -> QueueState:
    """Add the new run: in the place of the runs that it supersedes, or behind all with precedence."""
    rivals = _replaceable(state, ticket)
    newest = max([*rivals, ticket], key=lambda each: (each.data_at or each.asked_at, each.asked_at, each.run_id))
    if newest is not ticket:
        # Its first question came late, after that of a run with newer data.
        return _superseding(state, {ticket.run_id: newest.run_id})
    state = replace(state, waiting=_placed(state.waiting, ticket, rivals))
    return _superseding(state, {rival.run_id: ticket.run_id for rival in rivals})


def _placed(
    waiting: tuple[ComputeTicket, ...], ticket: ComputeTicket, rivals: list[ComputeTicket]
) -> tuple[ComputeTicket, ...]:
    """The order with the newcomer and without its rivals.

    Of the same priority, it inherits the first rival's place: a pipeline whose data come often would else start again
    at the end of the queue each time, and never train.
    """
    order: list[ComputeTicket] = []
    placed = False
    for other in waiting:
        rival = other in rivals
        if not placed and (other.rule.priority < ticket.rule.priority or (rival and _equal(other, ticket))):
            order.append(ticket)
            placed = True
        if not rival:
            order.append(other)
    return tuple(order if placed else [*order, ticket])


def _equal(one: ComputeTicket, other: ComputeTicket) -> bool:
    return one.rule.priority == other.rule.priority


def _superseding(state: QueueState, by: dict[str, str]) -> QueueState:
    """Remember superseded runs until they give back. The oldest are dropped first, so that the row stays small."""
    remembered = list((state.superseded | by).items())[-MOST_WAITING:]
    return replace(state, superseded=dict(remembered))


def _turn(state: QueueState, ticket: ComputeTicket, now: datetime) -> ComputeTurn:
    run_id, wanted = ticket.run_id, in_words(ticket.compute)
    if any(lease.run_id == run_id for lease in state.holders):
        return ComputeTurn(turn=Turn.GRANTED, reason=f"run {run_id} has {wanted}")
    if run_id in state.superseded:
        return _refused(
            f"run {state.superseded[run_id]} of the same pipeline has newer data and takes its place in the queue for "
            f"{wanted} (train.queue.policy is latest-wins)"
        )
    position = 1 + [each.run_id for each in state.waiting].index(run_id)
    place = "this run is next" if position == 1 else f"this run is number {position} in the queue"
    return ComputeTurn(
        turn=Turn.WAITING,
        position=position,
        reason=f"{_taken(state, ticket)}; {place}",
        free_at=_free_at(state, position, now),
    )


def _taken(state: QueueState, ticket: ComputeTicket) -> str:
    named = [lease.run_id for lease in state.holders[:_NAMED]]
    more = len(state.holders) - len(named)
    runs = ", ".join([*named, f"{more} more"] if more else named)
    return f"{in_words(ticket.compute)} is in use by {'run' if len(state.holders) == 1 else 'runs'} {runs}"


def _free_at(state: QueueState, position: int, now: datetime) -> datetime:
    """When the ticket at this position would be let in if everybody took as long as expected."""
    ends = sorted(max(now, lease.granted_at + _expected(lease)) for lease in state.holders)
    ends = ends[-state.slots :]  # with less slots than before, the first to end make no room
    for ticket in state.waiting[: position - 1]:
        heapreplace(ends, ends[0] + _expected(ticket))
    return ends[0]


def _expected(run: Lease | ComputeTicket) -> timedelta:
    return timedelta(seconds=min(run.expected_seconds, _LONGEST_GUESS))


def _refused(reason: str) -> ComputeTurn:
    return ComputeTurn(turn=Turn.REFUSED, reason=reason)
