"""Admission evaluation: a request against the current data; ``admit_run`` acts on it, ``preview_run`` shows it.

Claims and writes nothing, so it may be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from shared.decisions.admission.fingerprint import evaluator_digest, fingerprint, recipe_digest, run_id
from shared.decisions.admission.quarantine import may_be_put_aside
from shared.decisions.admission.repeats import Refusal, decide_attempt, effective_parameters, nothing_new
from shared.decisions.admission.run_plan import plan_of, workload_of
from shared.decisions.delivery.hand_sentences import is_retired
from shared.decisions.explanations.serving_model import ServingModel, serving_text, serving_text_after_refusal
from shared.decisions.snapshots.incremental_selection import LastTraining
from shared.decisions.snapshots.omissions import described
from shared.errors import Code, PermanentError
from shared.messages import (
    FEWER_STEPS_SCHEMA,
    AdmissionRequest,
    Champion,
    Quarantine,
    Retirement,
    RunRecord,
    RunRequest,
    Snapshot,
    Verdict,
)
from shared.pipelines import Pipeline
from shared.training_code.job_trees import JobTree
from shared.values.traces import own_trace, read_trace


class PipelineCatalogue(Protocol):
    """Reads pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class TakeSnapshot(Protocol):
    """Takes snapshots of a pipeline's data."""

    def __call__(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        """What the pipeline selects now; raises a permanent error with code ``NO_DATA`` for nothing."""


class DeployedJobs(Protocol):
    """Reads the deployed training code."""

    def read(self, folder: str) -> JobTree:
        """The job of a folder; raises :class:`shared.errors.PermanentError`."""


class Champions(Protocol):
    """Reads champions."""

    def champion(self, pipeline: str) -> Champion:
        """The current champion; ``run_id`` is None when there is none."""


class Attempts(Protocol):
    """Reads runs."""

    def request(self, run_id: str) -> RunRequest | None:
        """The request that was claimed under this run id."""

    def runs_of(self, pipeline: str, fingerprint: str) -> Sequence[RunRecord]:
        """Every attempt at a fingerprint."""


class Trainings(Protocol):
    """Reads the last trained snapshot of a pipeline."""

    def trained(self, pipeline: str) -> LastTraining | None:
        """The last training that was judged."""


class Quarantines(Protocol):
    """Reads quarantines."""

    def get(self, pipeline: str, fingerprint: str) -> Quarantine | None:
        """The quarantine of a fingerprint, active or lifted."""


class Retirements(Protocol):
    """Reads which pipelines are retired."""

    def retirement(self, pipeline: str) -> Retirement | None:
        """Who retired the pipeline; None when nobody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The result for a request: the run to claim, or why there is none. Without ``fingerprint``, nothing is new.

    ``job``: the code that was evaluated; ``recipe``: the digest of code and parameters.
    """

    snapshot: Snapshot
    job: JobTree
    recipe: str
    fingerprint: str | None
    decision: RunRequest | Refusal


def serving_model(pipeline: str, champions: Champions, runs: Attempts) -> ServingModel | None:
    """What serves for a pipeline; None for nothing."""
    run_id = champions.champion(pipeline).run_id
    if run_id is None:
        return None
    request = runs.request(run_id)
    return ServingModel(run_id=run_id, snapshot=request.snapshot if request else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionEvaluator:
    """Evaluates requests against data, code and the history in the ledger."""

    pipelines: PipelineCatalogue
    jobs: DeployedJobs
    runs: Attempts
    trainings: Trainings
    quarantines: Quarantines
    champions: Champions
    retirements: Retirements | None = None

    def evaluate(self, request: AdmissionRequest, take_snapshot: TakeSnapshot) -> Evaluation:
        """Evaluate against the current data. A refusal also names the serving model, which may be another one.

        Raises :class:`shared.errors.PermanentError`, with code ``NO_DATA`` when there are no data, and
        ``PIPELINE_RETIRED`` for a pipeline that trains no more.
        """
        retirement = self.retirements.retirement(request.pipeline) if self.retirements is not None else None
        if retirement is not None:
            raise PermanentError(is_retired(retirement), code=Code.PIPELINE_RETIRED)
        evaluation = self._decided(request, self._or_what_serves(take_snapshot))
        decision = evaluation.decision
        if not isinstance(decision, Refusal) or decision.verdict is Verdict.TRAINED:  # the last attempt is under way
            return evaluation
        now = self.serving_model(request.pipeline)
        previous = self.runs.runs_of(request.pipeline, evaluation.fingerprint) if evaluation.fingerprint else ()
        said = serving_text_after_refusal(now, previous, decision.run_id, listing=evaluation.snapshot.listing)
        return replace(evaluation, decision=replace(decision, reason=f"{decision.reason}; {said}"))

    def serving_model(self, pipeline: str) -> ServingModel | None:
        """What serves for a pipeline; None for nothing."""
        return serving_model(pipeline, self.champions, self.runs)

    def _or_what_serves(self, take_snapshot: TakeSnapshot) -> TakeSnapshot:
        """The same; for want of data it says what serves all the same."""

        def take(pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
            try:
                return take_snapshot(pipeline, since=since)
            except PermanentError as error:
                now = self.serving_model(pipeline.name) if error.code is Code.NO_DATA else None
                if now is None:
                    raise
                raise PermanentError(f"{error.reason}; {serving_text(now)}", code=error.code) from error

        return take

    def _decided(self, request: AdmissionRequest, take_snapshot: TakeSnapshot) -> Evaluation:
        pipeline = self.pipelines.get(request.pipeline)
        train = pipeline.train
        parameters = effective_parameters(train.parameters, request.parameters)
        job = self.jobs.read(train.folder)
        leave_out, workload = pipeline.data.leaves_out_faulty, workload_of(pipeline)
        recipe = recipe_digest(job.frozen.tree, parameters, leave_out_faulty=leave_out, workload=workload)

        trained = self.trainings.trained(pipeline.name) if pipeline.data.select == "new" else None
        snapshot = take_snapshot(pipeline, since=trained.snapshot if trained else None)
        if trained is not None and snapshot.blobs == 0:
            if not request.force:
                refusal = nothing_new(trained.run_id)
                refusal = replace(refusal, reason=refusal.reason + described(snapshot.left_out))
                return Evaluation(snapshot=snapshot, job=job, recipe=recipe, fingerprint=None, decision=refusal)
            # On purpose: what was trained last is trained again.
            snapshot = replace(
                trained.snapshot, listing=snapshot.listing, newest=snapshot.newest, left_out=snapshot.left_out
            )

        identity = fingerprint(
            data_digest=snapshot.content or snapshot.digest,
            code_digest=job.code,
            parameters=parameters,
            environment_locks=job.pins,
            leave_out_faulty=leave_out,
            workload=workload,
        )
        previous = self.runs.runs_of(pipeline.name, identity)
        quarantine = self.quarantines.get(pipeline.name, identity) if any(map(may_be_put_aside, previous)) else None
        decision = decide_attempt(previous, force=request.force, quarantine=quarantine)
        if isinstance(decision, Refusal):
            decision = replace(decision, reason=decision.reason + described(snapshot.left_out))
            return Evaluation(snapshot=snapshot, job=job, recipe=recipe, fingerprint=identity, decision=decision)
        new_id = run_id(pipeline.name, identity, decision.attempt)
        trace = read_trace(request.traceparent) or own_trace(new_id, request.requested_by, request.requested_at)
        run = RunRequest(
            run_id=new_id,
            pipeline=pipeline.name,
            attempt=decision.attempt,
            fingerprint=identity,
            snapshot=snapshot,
            plan=plan_of(pipeline, job.frozen),
            cause=request.cause,
            requested_by=request.requested_by,
            requested_at=request.requested_at,
            parameters=parameters,
            window_id=request.window_id,
            forced=request.force,
            note=request.note,
            own_parameters=bool(request.parameters),
            evaluator=evaluator_digest(job.code, job.pins, workload=workload, parameters=parameters),
            traceparent=trace.text,
            schema=FEWER_STEPS_SCHEMA,
        )
        return Evaluation(snapshot=snapshot, job=job, recipe=recipe, fingerprint=identity, decision=run)
