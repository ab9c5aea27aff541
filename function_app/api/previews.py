"""Preview of a request: the admission evaluation of ``admit_run``, without writing anything."""

from typing import Protocol

from activities.admission_evaluation import AdmissionEvaluator
from shared.decisions.admission.repeats import Refusal
from shared.decisions.snapshots.omissions import described
from shared.errors import Code, PermanentError
from shared.messages import AdmissionRequest, Preview, Snapshot, Verdict
from shared.pipelines import Pipeline
from shared.values.texts import counted


class Snapshots(Protocol):
    """Previews snapshots of a pipeline's data."""

    def preview_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        """List the data as they are now; raises a permanent error with code ``NO_DATA`` when there are none."""


def preview_run(request: AdmissionRequest, *, evaluator: AdmissionEvaluator, snapshots: Snapshots) -> Preview:
    """The decision if the request came now; a later request may be decided differently."""
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
