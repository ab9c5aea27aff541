"""How long to wait for trouble outside to be over, and how often. Pure.

Nothing tells when a VM, a service or a credential is back, and to ask each of them is no cheaper than to try. So a try
is the question: the pauses before it grow, and the number of tries has an end. A stage after the training is tried
again within the run, since the model is there; a run that failed for trouble outside is asked for again, as a new
attempt.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.messages import FailureKind, Outcome, RunRecord

STAGE_RETRY_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 20, 60, 160))
"""Before each further try of a stage after the training: four hours in all."""
RUN_RETRY_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 45, 135, 405))
"""Before each further attempt at a fingerprint: ten hours in all."""


def is_tried_again(run: RunRecord) -> bool:
    """Whether a run came to no end of its own: for something outside, or because it was overtaken while it trained."""
    if run.outcome is Outcome.NOT_PROMOTED:
        return run.overtaken
    return run.failure_kind is FailureKind.OUTSIDE and run.outcome in {Outcome.FAILED, Outcome.ROLLED_BACK}


def next_attempt_at(attempts: Sequence[RunRecord]) -> datetime | None:
    """When a fingerprint is tried again by itself, given all attempts at it; None when it is not.

    Such attempts count from the last that ended otherwise: each waits longer than the one before, and the last one is
    left to people.
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
