"""Stage retries and run retries: the pauses while a failure's cause is outside, and their number. Pure.

Nothing reports when a VM, a service or a credential works again, and probing each is no cheaper than trying. So the
pauses between tries grow, and their number is limited. A stage after the training is retried within the run, since the
model exists; a run that failed for a cause outside is retried as a new attempt.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.messages import FailureKind, Outcome, RunRecord

STAGE_RETRY_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 20, 60, 160))
"""Before each further try of a stage after the training: four hours in all."""
RUN_RETRY_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 45, 135, 405))
"""Before each further attempt at a fingerprint: ten hours in all."""


def is_tried_again(run: RunRecord) -> bool:
    """Whether a run qualifies for a run retry: it failed for a cause outside, or was overtaken."""
    if run.outcome is Outcome.NOT_PROMOTED:
        return run.overtaken
    return run.failure_kind is FailureKind.OUTSIDE and run.outcome in {Outcome.FAILED, Outcome.ROLLED_BACK}


def retry_text(run: RunRecord) -> str:
    """What follows from a failure for a cause outside, as the end of its reason; empty for every other run."""
    if run.failure_kind is not FailureKind.OUTSIDE or not is_tried_again(run):
        return ""
    hours = round(sum(RUN_RETRY_PAUSES, timedelta()) / timedelta(hours=1))
    return f"; the app tries the run again by itself, for about {hours} hours; after that, start it again"


def next_attempt_at(attempts: Sequence[RunRecord]) -> datetime | None:
    """The time of a fingerprint's run retry, given all attempts at it; None when there is none.

    Attempts count from the last one that ended otherwise: each pause is longer than the one before; after the last one,
    a person has to start the run.
    """
    in_order = sorted(attempts, key=lambda run: run.attempt)
    in_a_row = 0
    for run in reversed(in_order):
        if not is_tried_again(run):
            break
        in_a_row += 1
    if not 1 <= in_a_row <= len(RUN_RETRY_PAUSES):
        return None
    last = in_order[-1]
    return (last.ended_at or last.requested_at) + RUN_RETRY_PAUSES[in_a_row - 1]
