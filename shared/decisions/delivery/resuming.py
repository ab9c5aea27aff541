"""Whether a run can go on from where it ended, and as which attempt. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shared.decisions.admission.fingerprint import run_id
from shared.decisions.admission.repeats import came_to_a_verdict
from shared.messages import DELIVERY_SCHEMA, Cause, Outcome, Plan, RunRecord, RunRequest, Stage

RESUMABLE = frozenset({Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.CANCELLED})
_AFTER_TRAINING = frozenset({Stage.JUDGING, Stage.DELIVERING, Stage.ROLLING_OUT, Stage.RECORDING, Stage.DONE})


def has_trained(record: RunRecord) -> bool:
    """Whether the record itself says that the run's training completed; else only the training service knows."""
    return bool(record.metrics) or record.stage in _AFTER_TRAINING


def is_resumable(record: RunRecord) -> bool:
    """Whether the record itself says that there is a training to go on from."""
    return record.outcome in RESUMABLE and has_trained(record)


def why_not(record: RunRecord, attempts: Sequence[RunRecord]) -> str:
    """Why the run cannot be resumed, with the remedy; empty when it can. ``attempts``: at its fingerprint."""
    this = record.run_id
    if record.outcome is None:
        return f"run {this} is under way; cancel it first, or wait for its end"
    if record.outcome is Outcome.PROMOTED:
        return f"run {this} was promoted, so there is nothing left to do of it"
    if record.outcome not in RESUMABLE:
        return f"run {this} was judged and not promoted; to have it judged again, start a run with force"
    for other in attempts:
        if other.attempt > record.attempt and other.outcome is None:
            return f"run {other.run_id} is a later attempt at the same and is under way; wait for its end"
        if other.attempt > record.attempt and came_to_a_verdict(other):
            return f"run {other.run_id} is a later attempt at the same and came to a verdict; look at that one"
    return ""


def resumed_request(
    old: RunRequest, attempts: Sequence[RunRecord], *, plan: Plan, note: str, now: datetime
) -> RunRequest:
    """The attempt that goes on from there: the same data, code and parameters, the training taken over.

    ``plan``: the old one with what the pipeline's file says of delivery now, so that a mended setting counts.
    """
    attempt = max((each.attempt for each in attempts), default=old.attempt) + 1
    return replace(
        old,
        run_id=run_id(old.pipeline, old.fingerprint, attempt),
        attempt=attempt,
        plan=plan,
        cause=Cause.OPERATOR,
        requested_by=requester_of(old.run_id),
        requested_at=now,
        window_id=None,
        note=note,
        resumed=False,
        continues=old.run_id,
        trained_by=old.training,
        schema=max(old.schema, DELIVERY_SCHEMA),
    )


def requester_of(run_id_: str) -> str:
    """Who asks for the attempt that resumes a run: all requests to resume it are one requester, who gets one run."""
    return f"resume-{run_id_}"
