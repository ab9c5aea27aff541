"""Quarantine of fingerprints that failed too often, so that the same failure is not paid for again. Pure."""

from collections.abc import Iterable

from shared.messages import FailedAttempt, Outcome, Quarantine, RunRecord
from shared.values.texts import shortened

# Characters of a failure's reason that are kept as evidence: all of it must fit one value of a table, escaped.
_LONGEST_REASON = 100
_LONGEST_LAST_REASON = 300


def failed_in_training(run: RunRecord) -> bool:
    """Whether the failure kind is data or code, so that a repeat would fail again.

    Other kinds, such as a VM that was off, do not count, and neither does an unknown one. Records from before the
    failure kind only say whether the job failed.
    """
    if run.outcome is not Outcome.FAILED:
        return False
    return run.job_failed if run.failure_kind is None else run.failure_kind.counts


def may_be_put_aside(run: RunRecord) -> bool:
    """Whether an attempt may have led to a quarantine: it failed in training, or its model served once."""
    return failed_in_training(run) or run.outcome is Outcome.PROMOTED


def quarantine_for(
    attempts: Iterable[RunRecord], *, most: int, released: Quarantine | None = None
) -> Quarantine | None:
    """The quarantine that follows from the attempts at a fingerprint: at least ``most`` failures that count.

    ``released``: an earlier quarantine; failures before it was lifted do not count any more.
    """
    spared = released.released_attempt if released else 0
    failed = [run for run in attempts if failed_in_training(run) and run.attempt > spared]
    failed.sort(key=lambda run: run.attempt)
    if len(failed) < most:
        return None
    last = failed[-1]
    reached = failed[most - 1]  # so that more failures, or a repeat, do not move the date
    return Quarantine(
        pipeline=last.pipeline,
        fingerprint=last.fingerprint,
        snapshot_digest=last.snapshot_digest,
        since=reached.ended_at or reached.requested_at,
        failures=(*(_evidence(run, _LONGEST_REASON) for run in failed[:-1]), _evidence(last, _LONGEST_LAST_REASON)),
        released_attempt=spared,
    )


def _evidence(run: RunRecord, longest: int) -> FailedAttempt:
    reason = shortened(run.reason, longest)
    return FailedAttempt(run_id=run.run_id, reason=reason, ended_at=run.ended_at, attempt=run.attempt)
