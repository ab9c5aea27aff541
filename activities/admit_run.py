"""Admission: evaluate a pipeline's data as they are now and, when they need a training, claim the run.

The listing decides, not the events. The window that asked was closed before (see ``close_window``), so a blob that
lands after the listing opens a window of its own.
"""

from datetime import datetime
from typing import Protocol

from activities.admission_evaluation import AdmissionEvaluator, Attempts
from shared.decisions.admission.fingerprint import recipe_digest
from shared.decisions.admission.repeats import Refusal, under_way
from shared.decisions.admission.run_plan import trained_in
from shared.decisions.explanations.serving_model import serving_text
from shared.decisions.snapshots.omissions import described
from shared.errors import Code, PermanentError
from shared.messages import Admission, AdmissionRequest, FrozenJob, RunRecord, RunRequest, Snapshot, Verdict
from shared.pipelines import Pipeline
from shared.training_code.job_trees import JobTree


class Snapshots(Protocol):
    """Takes snapshots of a pipeline's data."""

    def take_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        """List the data and keep the manifest; raises a permanent error with code ``NO_DATA`` when there are none."""


class RunClaims(Attempts, Protocol):
    """Claims runs, and finds those that were claimed."""

    def claimed_by(self, pipeline: str, requested_by: str) -> RunRequest | None:
        """The run that this requester was granted before; None when there is none."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""

    def claim_run(self, request: RunRequest) -> RunRequest:
        """Claim the run atomically; returns the request that owns it, which may be an earlier one."""


class FrozenJobs(Protocol):
    """Keeps the code of admitted runs."""

    def keep(self, tree: JobTree) -> FrozenJob:
        """Store a job's files under their digest; nothing happens when they are stored already."""


class Listings(Protocol):
    """Keeps each pipeline's decided listing."""

    def mark_decided(
        self, pipeline: str, listing: str, newest: datetime | None, *, code: str = "", run_id: str = ""
    ) -> None:
        """Record that this listing was decided on, with which code, and the run that the decision was about."""

    def clear_decision(self, pipeline: str) -> None:
        """Forget the decision, so that the reconciler asks for an admission again."""


def admit_run(
    request: AdmissionRequest,
    *,
    evaluator: AdmissionEvaluator,
    snapshots: Snapshots,
    frozen_jobs: FrozenJobs,
    runs: RunClaims,
    listings: Listings,
) -> Admission:
    """Grant a run to one requester per fingerprint; a repeat by the same requester gets the same grant.

    Also when two deliveries of one request run at once: before it answers with anything but a grant, it checks whether
    the other one was granted a run.
    """
    granted = runs.claimed_by(request.pipeline, request.requested_by)
    if granted is not None:
        return _again(request, granted, runs, listings, evaluator)
    try:
        evaluation = evaluator.evaluate(request, snapshots.take_snapshot)
    except PermanentError as error:
        granted = runs.claimed_by(request.pipeline, request.requested_by)
        if granted is not None:
            return _again(request, granted, runs, listings, evaluator)
        if error.code is not Code.NO_DATA:
            raise
        return Admission(start=False, run_id=None, verdict=Verdict.REJECTED, reason=error.reason)
    if isinstance(evaluation.decision, RunRequest):
        frozen_jobs.keep(evaluation.job)  # before the claim: the code of a claimed run must exist
    admission = _claimed(evaluation.decision, runs)
    if not admission.start:
        granted = runs.claimed_by(request.pipeline, request.requested_by)
        if granted is not None:
            return _again(request, granted, runs, listings, evaluator)
    # Last: after a crash before it the reconciler asks again; a crash after it loses nothing.
    _mark_decided(request, evaluation.snapshot, listings, code=evaluation.recipe, run_id=admission.run_id)
    if admission.verdict is Verdict.QUARANTINED and evaluation.fingerprint is not None:
        kept = evaluator.quarantines.get(request.pipeline, evaluation.fingerprint)
        if kept is not None and not kept.active:  # lifted after the evaluation, so the mark is outdated
            listings.clear_decision(request.pipeline)
    return admission


def _claimed(wanted: RunRequest | Refusal, runs: RunClaims) -> Admission:
    if isinstance(wanted, Refusal):
        return _refused(wanted)
    holder = runs.claim_run(wanted)
    return _granted(holder) if holder == wanted else _refused(under_way(holder.run_id))


def _again(
    request: AdmissionRequest,
    granted: RunRequest,
    runs: RunClaims,
    listings: Listings,
    evaluator: AdmissionEvaluator,
) -> Admission:
    """The answer to a requester that was granted a run before; the decided listing is the one of that run."""
    job = granted.plan.job
    code = "" if job is None else _recipe_of(granted, job)
    _mark_decided(request, granted.snapshot, listings, code=code, run_id=granted.run_id)
    return _granted_before(granted, runs.run(granted.run_id), evaluator)


def _recipe_of(run: RunRequest, job: FrozenJob) -> str:
    plan = run.plan
    return recipe_digest(job.tree, run.parameters, leave_out_faulty=plan.leave_out_faulty, workload=plan.workload)


def _mark_decided(
    request: AdmissionRequest, snapshot: Snapshot, listings: Listings, *, code: str, run_id: str | None
) -> None:
    # A request with its own parameters does not decide about the pipeline's default training.
    if not request.parameters:
        listings.mark_decided(request.pipeline, snapshot.listing, snapshot.newest, code=code, run_id=run_id or "")


def _granted(run: RunRequest) -> Admission:
    reason = f"{trained_in(run)}{described(run.snapshot.left_out)}"
    return Admission(start=True, run_id=run.run_id, verdict=Verdict.TRAINED, reason=reason, run=run)


def _granted_before(run: RunRequest, record: RunRecord | None, evaluator: AdmissionEvaluator) -> Admission:
    if record is None or record.outcome is None:
        return _granted(run)  # the first answer was lost: the requester must still start it
    ended = record.outcome.value.replace("_", " ")
    now = serving_text(evaluator.serving_model(run.pipeline))
    reason = f"run {run.run_id} was started by this very request and has ended ({ended}); {now}"
    return Admission(start=False, run_id=run.run_id, verdict=Verdict.TRAINED, reason=reason)


def _refused(refusal: Refusal) -> Admission:
    return Admission(start=False, run_id=refusal.run_id, verdict=refusal.verdict, reason=refusal.reason)
