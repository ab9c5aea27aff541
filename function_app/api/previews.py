"""Say what a request would lead to now, and why. Takes the way that ``admit_run`` takes, and writes nothing."""

from typing import Protocol

from shared.admission_evaluation import AdmissionEvaluator
from shared.decisions.admission.repeats import Refusal
from shared.decisions.snapshots.omissions import described
from shared.errors import Code, PermanentError
from shared.messages import AdmissionRequest, Preview, Snapshot, Verdict
from shared.pipelines import Pipeline
from shared.texts import counted


class Snapshots(Protocol):
    """Looks at a pipeline's data."""

    def preview_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        """List what is there now; raises a permanent error with code ``NO_DATA`` for nothing."""


def preview_run(request: AdmissionRequest, *, evaluator: AdmissionEvaluator, snapshots: Snapshots) -> Preview:
    """What would be decided if the request came now; what comes later may be decided otherwise."""
    try:
        evaluation = evaluator.evaluate(request, snapshots.preview_snapshot)
    except PermanentError as error:
        if error.code is not Code.NO_DATA:
            raise
        return Preview(would_start=False, verdict=Verdict.REJECTED, reason=error.reason)
    decision, snapshot = evaluation.decision, evaluation.snapshot
    if isinstance(decision, Refusal):
        verdict, reason = decision.verdict, decision.reason
    else:
        verdict, reason = Verdict.TRAINED, f"run {decision.run_id} would train on {counted(snapshot.blobs, 'file')}"
        reason += described(snapshot.left_out)
    return Preview(
        would_start=not isinstance(decision, Refusal),
        verdict=verdict,
        reason=reason,
        run_id=decision.run_id,
        fingerprint=evaluation.fingerprint,
        blobs=snapshot.blobs,
        size=snapshot.size,
    )
