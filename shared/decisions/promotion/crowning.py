"""The champion that a promoted run is. Pure."""

from datetime import datetime

from shared.messages import Champion, RunRecord


def champion_of(record: RunRecord) -> Champion:
    """The champion as the run's record has it; without what others measured of it."""
    return Champion(
        pipeline=record.pipeline,
        run_id=record.run_id,
        model=record.model,
        version=record.version,
        image=record.image,
        metrics=record.metrics,
        holdout=record.holdout,
        evaluator=record.evaluator,
    )


def promoted_at(record: RunRecord) -> datetime:
    """When the run became the champion."""
    return record.ended_at or record.requested_at
