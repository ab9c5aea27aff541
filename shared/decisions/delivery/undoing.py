"""What cancelling a run leaves behind, in words, and what is to be undone. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.decisions.explanations.actors import actor_text
from shared.messages import (
    DELIVERY_SCHEMA,
    FAIR_COMPARISON_SCHEMA,
    UNDOING,
    Cancellation,
    GoalEnd,
    Outcome,
    RunEnd,
    RunRecord,
    RunRequest,
    Stage,
)

TRAINING_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 3, 5, 5, 10, 10, 15, 15, 15, 30, 30, 30, 60))
"""Between the looks at a training that was cancelled; Azure ML ends a process on a VM within a minute or two."""


def end_of(request: RunRequest, record: RunRecord) -> RunEnd:
    """The finalization of a run with this record: all that the run may have made outside is to be undone."""
    delivered = request.schema >= DELIVERY_SCHEMA
    return RunEnd(
        record=record,
        compute=request.plan.compute,
        delivers=request.schema >= FAIR_COMPARISON_SCHEMA,
        targets=tuple(target.name for target in request.plan.targets) if delivered else (),
        image=request.training if delivered else "",
        training="" if request.continues else request.run_id,
        schema=UNDOING,
    )


def cancelled(record: RunRecord, cancellation: Cancellation, stage: Stage | None, now: datetime) -> RunRecord:
    """The record of a run that somebody cancelled."""
    return replace(
        record,
        outcome=Outcome.CANCELLED,
        reason=cancelled_text(cancellation),
        stage=stage or record.stage,
        ended_at=now,
        seconds=round(max(0.0, (now - record.requested_at).total_seconds()), 3),
    )


def cancelled_text(cancellation: Cancellation) -> str:
    """Who cancelled a run, and why."""
    why = f": {cancellation.reason}" if cancellation.reason else ""
    return f"it was cancelled by {actor_text(cancellation.by)}{why}"


def left_text(left: Sequence[str]) -> str:
    """What could not be undone, as the end of the run's reason."""
    return f"; left to do: {'; '.join(left)}" if left else ""


def target_left(end: GoalEnd) -> str:
    """A target that could not be brought back. The reconciler goes on: a run that has ended is to serve nowhere."""
    return f"target {end.target} is not back at what it served before ({end.trouble}); the app goes on trying"


def image_left(pipeline: str, run_id: str, why: str) -> str:
    """An image whose tag is still in the registry."""
    return f"the image models/{pipeline}:{run_id} is still in the registry ({why}); remove the tag there"


def training_left(run_id: str, why: str) -> str:
    """A training that may still run."""
    return f"its training may still run ({why}); cancel run {run_id} in Azure ML"
