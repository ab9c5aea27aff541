"""Decide whether what lies in a pipeline's container now is trained, and claim the run if so.

The listing decides, not the events: by the time this runs, the window that asked for it is closed (see
``close_window``), so whatever lands after the listing has opened a window of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.decisions.admission import Refuse, decide, effective_parameters, under_way
from shared.decisions.fingerprint import code_digest, fingerprint, run_id
from shared.decisions.planning import plan_of
from shared.errors import Code, PermanentError
from shared.messages import Admission, AdmissionRequest, RunRecord, RunRequest, Snapshot, Verdict
from shared.pipelines import Pipeline


class PipelineCatalogue(Protocol):
    """Knows the pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class Snapshots(Protocol):
    """Takes snapshots of a pipeline's data."""

    def take_snapshot(self, pipeline: Pipeline) -> Snapshot:
        """List and keep what is there now; raises a permanent error with code ``NO_DATA`` for nothing."""


class TrainingCode(Protocol):
    """Reads the training code."""

    def files(self, folder: str) -> Mapping[str, bytes]:
        """Every source file, by name."""

    def locks(self, folder: str) -> Sequence[str]:
        """The texts that pin its libraries."""


class RunClaims(Protocol):
    """Knows and claims runs."""

    def claimed_by(self, pipeline: str, requested_by: str) -> RunRequest | None:
        """The run that this requester was granted before."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""

    def runs_of(self, pipeline: str, fingerprint: str) -> Sequence[RunRecord]:
        """Every attempt at a fingerprint."""

    def claim_run(self, request: RunRequest) -> RunRequest:
        """Claim the run; returns the request that holds it."""


def admit_run(
    request: AdmissionRequest,
    *,
    pipelines: PipelineCatalogue,
    snapshots: Snapshots,
    code: TrainingCode,
    runs: RunClaims,
) -> Admission:
    """Grant a run to one requester per fingerprint; the same requester gets the same grant when it asks again."""
    granted = runs.claimed_by(request.pipeline, request.requested_by)
    if granted is not None:
        return _granted_before(granted, runs.run(granted.run_id))
    pipeline = pipelines.get(request.pipeline)
    try:
        wanted = _wanted(request, pipeline, snapshots, code, runs)
    except PermanentError as error:
        if error.code is not Code.NO_DATA:
            raise
        return Admission(start=False, run_id=None, verdict=Verdict.REJECTED, reason=error.reason)
    if isinstance(wanted, Refuse):
        return _refused(wanted)
    granted = runs.claim_run(wanted)
    if granted.requested_by != request.requested_by:
        return _refused(under_way(granted.run_id))
    return _granted(granted)


def _wanted(
    request: AdmissionRequest, pipeline: Pipeline, snapshots: Snapshots, code: TrainingCode, runs: RunClaims
) -> RunRequest | Refuse:
    train = pipeline.train
    parameters = effective_parameters(train.parameters, request.parameters)
    sources, locks = code_digest(code.files(train.folder)), code.locks(train.folder)
    snapshot = snapshots.take_snapshot(pipeline)
    identity = fingerprint(
        manifest_digest=snapshot.digest, code_digest=sources, parameters=parameters, environment_locks=locks
    )
    decision = decide(runs.runs_of(pipeline.name, identity))
    if isinstance(decision, Refuse):
        return decision
    return RunRequest(
        run_id=run_id(pipeline.name, identity, decision.attempt),
        pipeline=pipeline.name,
        attempt=decision.attempt,
        fingerprint=identity,
        snapshot=snapshot,
        plan=plan_of(pipeline),
        cause=request.cause,
        requested_by=request.requested_by,
        requested_at=request.requested_at,
        parameters=parameters,
        window_id=request.window_id,
    )


def _granted(run: RunRequest) -> Admission:
    again = f", attempt {run.attempt}" if run.attempt > 1 else ""
    reason = f"{run.snapshot.blobs} files are trained in run {run.run_id}{again}"
    return Admission(start=True, run_id=run.run_id, verdict=Verdict.TRAINED, reason=reason, run=run)


def _granted_before(run: RunRequest, record: RunRecord | None) -> Admission:
    if record is None or record.outcome is None:
        return _granted(run)  # the first answer was lost: the requester must still start it
    reason = f"run {run.run_id} was trained for this very request ({record.outcome.value.replace('_', ' ')})"
    return Admission(start=False, run_id=run.run_id, verdict=Verdict.TRAINED, reason=reason)


def _refused(refusal: Refuse) -> Admission:
    return Admission(start=False, run_id=refusal.run_id, verdict=refusal.verdict, reason=refusal.reason)
