"""Undo what a run made outside, in reverse order, and see that it is gone: releases, image, training.

Nothing here ends the undoing of the rest: what is left is named, with what to do about it.
"""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrations import reach_goal
from orchestrations.progress import first_line, report
from shared.contracts import CANCEL_TRAINING, CHECK_TRAINING, REMOVE_IMAGE
from shared.decisions.delivery import undoing
from shared.errors import Code, PermanentError
from shared.messages import GoalEnd, RunEnd, TargetGoal, TrainingRef
from shared.orchestration_ids import finalization_id, goal_id
from shared.values.wire import from_wire, to_wire


def undo(context: df.DurableOrchestrationContext, end: RunEnd) -> Generator[Any, Any, str]:
    """Undo everything; returns what to add to the run's reason."""
    left = [
        *(yield from _leave_targets(context, end)),
        *(yield from _remove_image(context, end)),
        *(yield from _stop_training(context, end)),
    ]
    return undoing.left_text(left)


def _leave_targets(context: df.DurableOrchestrationContext, end: RunEnd) -> Generator[Any, Any, list[str]]:
    """Have every target run what it ran before, all at the same time."""
    record, owner = end.record, finalization_id(end.record.run_id)
    if not end.targets:
        return []
    report(context, record.stage, doing="bringing the targets back", targets=list(end.targets))
    goals = [
        TargetGoal(target=target, pipeline=record.pipeline, by=owner, without=record.run_id) for target in end.targets
    ]
    replies = yield context.task_all(
        [context.call_sub_orchestrator(reach_goal.NAME, to_wire(goal), goal_id(owner, goal.target)) for goal in goals]
    )
    ends = [from_wire(GoalEnd, reply) for reply in replies]
    return [undoing.target_left(each) for each in ends if not each.reached]


def _remove_image(context: df.DurableOrchestrationContext, end: RunEnd) -> Generator[Any, Any, list[str]]:
    if not end.image:
        return []
    report(context, end.record.stage, doing="removing the image")
    image = TrainingRef(run_id=end.image, pipeline=end.record.pipeline)
    try:
        yield from REMOVE_IMAGE.call(context, image)
    except Exception as error:  # noqa: BLE001 - refused, or retries ran out; the rest is undone all the same
        return [undoing.image_left(end.record.pipeline, end.image, _why(error))]
    return []


def _stop_training(context: df.DurableOrchestrationContext, end: RunEnd) -> Generator[Any, Any, list[str]]:
    """Cancel the training, and look until it has ended."""
    if not end.training:
        return []
    report(context, end.record.stage, doing="stopping the training")
    training = TrainingRef(run_id=end.training, pipeline=end.record.pipeline)
    try:
        yield from CANCEL_TRAINING.call(context, training)
        for pause in undoing.TRAINING_PAUSES:
            status = yield from CHECK_TRAINING.call(context, training)
            if status.phase.terminal:
                return []
            yield context.create_timer(context.current_utc_datetime + pause)
    except PermanentError as error:
        return [] if error.code is Code.TRAINING_UNKNOWN else [undoing.training_left(end.training, error.reason)]
    except Exception as error:  # noqa: BLE001 - retries ran out; the run must end all the same
        return [undoing.training_left(end.training, _why(error))]
    return [undoing.training_left(end.training, "it has not ended yet")]


def _why(error: Exception) -> str:
    return error.reason if isinstance(error, PermanentError) else first_line(error)
