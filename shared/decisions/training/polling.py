"""Polling of a training: the interval, the limits, and the next step. Pure.

The interval follows the expected duration: long while nothing can have happened yet, short around the expected end,
growing again when the training takes longer. The expectation may be wrong, so until then the interval is at most
:data:`EARLY`, or about as long as the training has run: a short one that has ended must not wait for a guess. While it
is queued the same goes for the time that it is queued, up to a minute: one that then runs briefly may have ended when
it is first seen to run. The limits for being queued (and prepared) and for running are separate, since a busy VM is not
the training's fault.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.messages import FailureKind, TrainingPhase, TrainingPoll, TrainingStatus

ROUNDS_PER_EXECUTION = 20  # then continue as new: a replay's cost grows with the history
SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(minutes=3)
EARLY = timedelta(seconds=10)  # the longest interval while the training has run for half a minute or less
_TAKEN_OFF = timedelta(seconds=25)  # later it may be as long as the training has run, less this
CANCEL_GRACE = timedelta(minutes=10)  # how long a cancelled training may take to stop before we say so and go on

_LONGEST_IDLE = timedelta(minutes=1)  # while it waits for compute, or stops
_WAITING = {TrainingPhase.QUEUED, TrainingPhase.PREPARING}


@dataclass(frozen=True, slots=True)
class Ended:
    """The training has ended. ``kind``: its failure kind; None when an older app polled it."""

    phase: TrainingPhase
    reason: str
    kind: FailureKind | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """A limit has passed: the training must be cancelled remotely, so that the compute is freed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Check again at ``until``, or earlier when woken."""

    until: datetime


def observe(poll: TrainingPoll, status: TrainingStatus, now: datetime) -> TrainingPoll:
    """The poll's state after a status was read."""
    changed = status.phase != poll.phase or poll.phase_since is None
    running = poll.running_since
    # Not while it is being cancelled: how it stops must not hide that it never got to run.
    if running is None and not poll.cancelling and status.phase not in _WAITING:
        running = now
    return replace(
        poll,
        phase=status.phase,
        phase_since=now if changed else poll.phase_since,
        queued_since=poll.queued_since or now,
        running_since=running,
        rounds=poll.rounds + 1,
    )


def next_poll(poll: TrainingPoll, status: TrainingStatus, now: datetime) -> Ended | Cancel | Wait:
    """What to do after :func:`observe`; ``poll`` is the state it returned."""
    if status.phase.terminal:
        return _ended(poll, status)
    if poll.cancelling:
        asked = poll.cancel_asked_at or now
        if now - asked > CANCEL_GRACE:
            return Ended(
                TrainingPhase.FAILED,
                f"{poll.cancelling}; it did not stop within {_minutes(CANCEL_GRACE)} after that; check it in Azure ML",
                _kind_of_limit(poll),
            )
        return Wait(now + interval(poll, now))
    over = _limit_passed(poll, now)
    if over:
        return Cancel(over)
    return Wait(min(now + interval(poll, now), max(_limit_at(poll, now), now) + SHORTEST))


def _ended(poll: TrainingPoll, status: TrainingStatus) -> Ended:
    if poll.cancelling and status.phase is not TrainingPhase.COMPLETED:
        return Ended(TrainingPhase.FAILED, poll.cancelling, _kind_of_limit(poll))
    return Ended(status.phase, status.detail, status.failure_kind if status.phase is TrainingPhase.FAILED else None)


def _kind_of_limit(poll: TrainingPoll) -> FailureKind:
    """The failure kind of an exceeded limit: a busy VM is outside; why a training runs too long is unknown."""
    return FailureKind.OUTSIDE if poll.running_since is None else FailureKind.UNKNOWN


def _limit_passed(poll: TrainingPoll, now: datetime) -> str:
    limits = poll.limits
    if poll.running_since is not None:
        if now - poll.running_since > timedelta(seconds=limits.running_seconds):
            return (
                f"training ran for more than {limits.running_seconds:g} s and was cancelled; "
                "raise train.running_limit_seconds if it needs longer"
            )
        return ""
    if poll.queued_since is not None and now - poll.queued_since > timedelta(seconds=limits.queued_seconds):
        return (
            f"training waited for compute {poll.order.compute} for more than {limits.queued_seconds:g} s and was "
            "cancelled; check what occupies the VM, or raise train.queued_limit_seconds"
        )
    return ""


def _limit_at(poll: TrainingPoll, now: datetime) -> datetime:
    if poll.running_since is not None:
        return poll.running_since + timedelta(seconds=poll.limits.running_seconds)
    return (poll.queued_since or now) + timedelta(seconds=poll.limits.queued_seconds)


def interval(poll: TrainingPoll, now: datetime) -> timedelta:
    """How long to wait before the next check, between :data:`SHORTEST` and :data:`LONGEST`."""
    expected = timedelta(seconds=poll.limits.expected_seconds)
    if poll.cancelling:
        return _clamp(min(expected / 20, _LONGEST_IDLE))
    elapsed = now - (poll.running_since or poll.queued_since or now)
    if poll.running_since is None:
        return _clamp(min(expected / 10, _LONGEST_IDLE, _most_after(elapsed)))
    if elapsed < expected:
        return _clamp(min(max((expected - elapsed) / 1.8, expected / 30), _most_after(elapsed)))
    return _clamp((elapsed - expected) / 4 + expected / 30)


def _most_after(elapsed: timedelta) -> timedelta:
    return max(elapsed - _TAKEN_OFF, EARLY)


def _clamp(value: timedelta) -> timedelta:
    return min(max(value, SHORTEST), LONGEST)


def _minutes(value: timedelta) -> str:
    return f"{value / timedelta(minutes=1):g} minutes"
