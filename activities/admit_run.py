"""Decide whether what lies in a pipeline's container now is trained, and claim the run if so.

The listing decides, not the events: by the time this runs, the window that asked for it is closed (see
``close_window``), so whatever lands after the listing has opened a window of its own.
"""

from datetime import datetime
from typing import Protocol

from shared.admission_evaluation import AdmissionEvaluator, Attempts
from shared.decisions.admission.fingerprint import recipe_digest
from shared.decisions.admission.repeats import Refusal, under_way
from shared.decisions.admission.run_plan import trained_in
from shared.decisions.explanations.serving_model import serving_text
from shared.decisions.snapshots.omissions import described
from shared.errors import Code, PermanentError
from shared.job_trees import JobTree
from shared.messages import Admission, AdmissionRequest, FrozenJob, RunRecord, RunRequest, Snapshot, Verdict
from shared.pipelines import Pipeline


class Snapshots(Protocol):
    """Takes snapshots of a pipeline's data."""

    def take_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        """List and keep what is there now; raises a permanent error with code ``NO_DATA`` for nothing."""


class RunClaims(Attempts, Protocol):
    """Knows and claims runs."""

    def claimed_by(self, pipeline: str, requested_by: str) -> RunRequest | None:
        """The run that this requester was granted before."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""

    def claim_run(self, request: RunRequest) -> RunRequest:
        """Claim the run; returns the request that holds it."""


class FrozenJobs(Protocol):
    """Keeps the code of admitted runs."""

    def keep(self, tree: JobTree) -> FrozenJob:
        """Keep a tree, once."""


class Listings(Protocol):
    """Knows which listing was decided on."""

    def mark_decided(
        self, pipeline: str, listing: str, newest: datetime | None, *, code: str = "", run_id: str = ""
    ) -> None:
        """Note that this listing was decided on, with this code, and which run the decision was about."""

    def clear_decision(self, pipeline: str) -> None:
        """Have the reconciler ask again."""


def admit_run(
    request: AdmissionRequest,
    *,
    evaluator: AdmissionEvaluator,
    snapshots: Snapshots,
    frozen_jobs: FrozenJobs,
    runs: RunClaims,
    listings: Listings,
) -> Admission:
    """Grant a run to one requester per fingerprint; the same requester gets the same grant when it asks again.

    Also when it asks twice at once: who comes to another answer than a grant looks whether the other delivery got one.
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
        frozen_jobs.keep(evaluation.job)  # before the claim: whoever holds one finds its code
    admission = _claimed(evaluation.decision, runs)
    if not admission.start:
        granted = runs.claimed_by(request.pipeline, request.requested_by)
        if granted is not None:
            return _again(request, granted, runs, listings, evaluator)
    # Last: a crash before it makes the reconciler look again, a crash after it has lost nothing.
    _mark_decided(request, evaluation.snapshot, listings, code=evaluation.recipe, run_id=admission.run_id)
    if admission.verdict is Verdict.QUARANTINED and evaluation.fingerprint is not None:
        kept = evaluator.quarantines.get(request.pipeline, evaluation.fingerprint)
        if kept is not None and not kept.active:  # lifted since the evaluation, so the mark came too late
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
    """The answer to a requester that was granted a run before; what was decided on is what that run trains."""
    job = granted.plan.job
    code = "" if job is None else _recipe_of(granted, job)
    _mark_decided(request, granted.snapshot, listings, code=code, run_id=granted.run_id)
    return _granted_before(granted, runs.run(granted.run_id), evaluator)


def _recipe_of(run: RunRequest, job: FrozenJob) -> str:
    return recipe_digest(job.tree, run.parameters, leave_out_faulty=run.plan.leave_out_faulty)


def _mark_decided(
    request: AdmissionRequest, snapshot: Snapshot, listings: Listings, *, code: str, run_id: str | None
) -> None:
    # A request with parameters of its own says nothing about what the pipeline as such has to train.
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
