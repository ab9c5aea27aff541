"""Polling orchestration (the async HTTP API / monitor pattern): submit a training, poll it to its end, bounded history.

A round checks the status, then waits for a durable timer or the external event ``training_status``, whichever comes
first. After :data:`ROUNDS_PER_EXECUTION` rounds, or when woken by the event, it continues as new: replay cost grows
with the history, and the SDK handles one open wait per execution reliably.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import azure.durable_functions as df

from orchestrations.failures import failure_of
from orchestrations.progress import report, show
from shared.contracts import CANCEL_TRAINING, CHECK_TRAINING, START_TRAINING, SUBMIT_TRAINING
from shared.decisions.training.polling import ROUNDS_PER_EXECUTION, Cancel, Ended, next_poll, observe
from shared.errors import Code, PermanentError
from shared.messages import (
    FAIR_COMPARISON_SCHEMA,
    FEWER_STEPS_SCHEMA,
    FailureKind,
    Stage,
    TrainingEnd,
    TrainingPhase,
    TrainingPoll,
    TrainingRef,
    TrainingStatus,
)
from shared.values.wire import from_wire, to_wire

WAKE_UP = "training_status"


def await_training(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Output: a ``TrainingEnd``. Never raises for errors of outside services; those become a ``TrainingEnd`` too."""
    poll = from_wire(TrainingPoll, context.get_input())
    ref = TrainingRef(run_id=poll.order.run_id, pipeline=poll.order.pipeline)
    known: TrainingStatus | None = None
    try:
        if not poll.submitted:
            report(context, Stage.TRAINING, phase="submitting", compute=poll.order.compute)
            submit = START_TRAINING if poll.schema >= FAIR_COMPARISON_SCHEMA else SUBMIT_TRAINING
            begun = yield from submit.call(context, poll.order)
            poll = replace(poll, submitted=True, unmeasured=begun.unmeasured)
            known = begun if poll.schema >= FEWER_STEPS_SCHEMA else None
        outcome = yield from _rounds(context, poll, ref, known)
    except Exception as error:  # noqa: BLE001 - refused for good, or retries ran out; the SDK knows no narrower type
        kind, reason = failure_of(error)
        if isinstance(error, PermanentError) and not poll.submitted:
            return to_wire(_failed(poll, reason, kind))
        # The training may be running all the same, for example when the app's credentials have expired.
        return to_wire((yield from _give_up(context, poll, ref, reason, kind)))
    if isinstance(outcome, TrainingPoll):
        context.continue_as_new(to_wire(outcome))
        return None
    return to_wire(outcome)


def _rounds(
    context: df.DurableOrchestrationContext, poll: TrainingPoll, ref: TrainingRef, known: TrainingStatus | None
) -> Generator[Any, Any, TrainingPoll | TrainingEnd]:
    """Poll until the training ends, or return the state to continue as new with. ``known``: the status as of now."""
    event = context.wait_for_external_event(WAKE_UP)
    woken = False
    for _ in range(ROUNDS_PER_EXECUTION):
        status, known = known or (yield from CHECK_TRAINING.call(context, ref)), None
        now = context.current_utc_datetime
        poll = observe(poll, status, now)
        step = next_poll(poll, status, now)
        if isinstance(step, Ended):
            return _end(poll, step.phase, step.reason, step.kind)
        if isinstance(step, Cancel):
            yield from CANCEL_TRAINING.call(context, ref)
            poll = replace(poll, cancelling=step.reason, cancel_asked_at=now)
            continue
        _report(context, poll, status)
        if woken:
            # Not before a check: right after the cancelled timer, continuing as new would have the host deliver the
            # event to every next execution again (durable extension, issue 2606).
            break
        timer = context.create_timer(step.until)
        first = yield context.task_any([event, timer])
        if first is event:
            timer.cancel()
            woken = True
    return poll


def _give_up(
    context: df.DurableOrchestrationContext,
    poll: TrainingPoll,
    ref: TrainingRef,
    reason: str,
    kind: FailureKind | None,
) -> Generator[Any, Any, TrainingEnd]:
    """The training service does not answer or refuses: try once more to cancel, so that the VM becomes free."""
    left = "the training was cancelled"
    try:
        yield from CANCEL_TRAINING.call(context, ref)
    except PermanentError as error:
        never_began = error.code is Code.TRAINING_UNKNOWN
        left = "no training had started" if never_began else f"the training could not be cancelled: {error.reason}"
    except Exception:  # noqa: BLE001 - as above; the first error is the one to report
        left = f"the training could not be cancelled either: cancel run {ref.run_id} in Azure ML"
    return _failed(poll, f"{reason}; {left}", kind)


def _failed(poll: TrainingPoll, reason: str, kind: FailureKind | None) -> TrainingEnd:
    return _end(poll, TrainingPhase.FAILED, reason, kind)


def _end(poll: TrainingPoll, phase: TrainingPhase, reason: str, kind: FailureKind | None) -> TrainingEnd:
    # A status recorded before there was a failure kind only says that the job failed; that counted against it.
    job_failed = phase is TrainingPhase.FAILED and (kind is None or kind.counts)
    return TrainingEnd(
        phase=phase,
        reason=reason,
        rounds=poll.rounds,
        job_failed=job_failed,
        failure_kind=kind,
        unmeasured=poll.unmeasured,
    )


def _report(context: df.DurableOrchestrationContext, poll: TrainingPoll, status: TrainingStatus) -> None:
    since = poll.phase_since or context.current_utc_datetime
    show(
        context,
        {
            "stage": "training",
            "since": since.isoformat(),
            "progress": {
                "phase": status.phase.value,
                "detail": poll.cancelling or status.detail,
                "checks": poll.rounds,
                "queue_position": status.queue_position,
                "expected_seconds": poll.limits.expected_seconds,
            },
        },
    )
