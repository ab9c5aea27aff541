"""Record a run's outcome, and what follows from it: champion, trained snapshot, quarantine, run retry."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.alert_lines import RUN_ENDED_BADLY
from shared.decisions.admission.quarantine import failed_in_training, quarantine_for
from shared.decisions.admission.repeats import came_to_a_verdict
from shared.decisions.promotion.crowning import champion_of, promoted_at
from shared.decisions.promotion.judgement import measured_by
from shared.decisions.snapshots.incremental_selection import LastTraining
from shared.decisions.training.retry_schedule import is_tried_again, next_attempt_at
from shared.errors import Code, PermanentError
from shared.formats.size_limits import bounded_record
from shared.messages import Best, Cancellation, Champion, Done, Outcome, Quarantine, RunRecord, RunRequest

log = logging.getLogger(__name__)


class Runs(Protocol):
    """Keeps run records."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""

    def request(self, run_id: str) -> RunRequest | None:
        """The request that was claimed under this run id."""

    def cancellation(self, run_id: str) -> Cancellation | None:
        """Who wants the run to end; None when nobody does."""

    def runs_of(self, pipeline: str, fingerprint: str) -> Sequence[RunRecord]:
        """Every attempt at a fingerprint."""

    def record_run(self, record: RunRecord) -> None:
        """Keep the record."""


class Champions(Protocol):
    """Keeps the champion of each pipeline."""

    def uncrown(self, pipeline: str, run_id: str, *, at: datetime) -> None:
        """Undo the crowning of a run; nothing when it is not champion."""

    def crown(self, champion: Champion, *, since: datetime, over: str | None, measured: Sequence[Best]) -> None:
        """Make the run the champion, unless a run that took over after its comparison is champion already.

        ``measured``: see ``note``.
        """

    def note(self, pipeline: str, measured: Sequence[Best]) -> None:
        """Keep measured metrics of champions where they are the best so far."""


class Listings(Protocol):
    """Keeps the last trained snapshot of each pipeline."""

    def keep_trained(self, pipeline: str, trained: LastTraining) -> None:
        """Record that this snapshot was trained and judged."""


class Quarantines(Protocol):
    """Keeps quarantined fingerprints."""

    def get(self, pipeline: str, fingerprint: str) -> Quarantine | None:
        """The quarantine of a fingerprint, active or lifted."""

    def put(self, quarantine: Quarantine) -> None:
        """Quarantine a fingerprint."""


class Retries(Protocol):
    """Schedules run retries."""

    def plan(self, run_id: str, pipeline: str, at: datetime) -> None:
        """Have the run's fingerprint tried again at that time."""


def record_run(
    record: RunRecord,
    *,
    runs: Runs,
    champions: Champions,
    listings: Listings,
    quarantines: Quarantines,
    retries: Retries,
) -> Done:
    """Record the outcome; safe to repeat. The record is written last, after everything that follows from the outcome.

    The first outcome stays, and a run that somebody has cancelled ends as ``cancelled`` only. Any other one is refused,
    and nothing follows from it: whoever asked for it announces nothing, and gives nothing back that others hold now.
    """
    record = bounded_record(record)  # a record that the table refuses for its length would be refused at every retry
    kept = runs.run(record.run_id)
    if kept is not None and kept.outcome not in {None, record.outcome}:
        raise _ended_before(record, kept)
    request = runs.request(record.run_id) if came_to_a_verdict(record) else None
    measured = measured_by(record, request.plan.rule) if request else ()
    if record.outcome is not Outcome.CANCELLED and runs.cancellation(record.run_id) is not None:
        reason = f"run {record.run_id} was cancelled, so it does not end as {record.outcome}"
        raise PermanentError(reason, code=Code.RUN_CANCELLED)
    if record.outcome is Outcome.PROMOTED:
        _crown(record, champions, measured)
    elif measured:
        champions.note(record.pipeline, measured)
    if request is not None:
        _note_trained(record, request, listings)
    if failed_in_training(record):
        _put_aside(record, runs, quarantines)
    if is_tried_again(record):
        _plan_another(record, runs, retries)
    runs.record_run(record)
    ended = runs.run(record.run_id)
    if ended is not None and ended.outcome is not Outcome.PROMOTED:
        # It may have been crowned: by this call, or by an earlier one that died before the record was written.
        champions.uncrown(record.pipeline, record.run_id, at=record.ended_at or record.requested_at)
    if ended is not None and ended.outcome is not record.outcome:
        raise _ended_before(record, ended)
    _tell(record)
    return Done()


def _tell(record: RunRecord) -> None:
    if record.outcome in {Outcome.FAILED, Outcome.ROLLED_BACK}:
        log.warning("%s run %s of pipeline %s: %s", RUN_ENDED_BADLY, record.run_id, record.pipeline, record.outcome)


def _ended_before(record: RunRecord, kept: RunRecord) -> PermanentError:
    reason = f"run {record.run_id} has ended as {kept.outcome or 'cancelled'}, so it does not end as {record.outcome}"
    return PermanentError(reason, code=Code.RUN_ENDED)


def _crown(record: RunRecord, champions: Champions, measured: Sequence[Best]) -> None:
    since = promoted_at(record)
    champions.crown(champion_of(record), since=since, over=record.champion_run_id, measured=measured)


def _note_trained(record: RunRecord, request: RunRequest, listings: Listings) -> None:
    if request.own_parameters:  # a trial: the pipeline's own training has not seen these data
        return
    trained = LastTraining(
        run_id=record.run_id,
        snapshot=request.snapshot,
        requested_at=request.requested_at,
        ended_at=record.ended_at or record.requested_at,
    )
    listings.keep_trained(record.pipeline, trained)


def _put_aside(record: RunRecord, runs: Runs, quarantines: Quarantines) -> None:
    """Quarantine the fingerprint when this failure reaches the limit."""
    request = runs.request(record.run_id)
    if request is None:
        return
    others = [run for run in runs.runs_of(record.pipeline, record.fingerprint) if run.run_id != record.run_id]
    kept = quarantines.get(record.pipeline, record.fingerprint)
    quarantine = quarantine_for([*others, record], most=request.plan.quarantine_after, released=kept)
    if quarantine is not None:
        quarantines.put(quarantine)


def _plan_another(record: RunRecord, runs: Runs, retries: Retries) -> None:
    """Schedule a run retry, unless the fingerprint was tried too often."""
    others = [run for run in runs.runs_of(record.pipeline, record.fingerprint) if run.run_id != record.run_id]
    at = next_attempt_at([*others, record])
    if at is not None and all(run.attempt < record.attempt for run in others):
        retries.plan(record.run_id, record.pipeline, at)
