"""Event aggregation: wait until a pipeline's window of arrivals has settled, then request a run.

Events wake, the listing decides: the window is closed *before* the snapshot lists the container, so an arrival that
comes in between opens the next window and is not lost.
"""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrations.progress import show
from shared.contracts import ADMIT_RUN, CLOSE_WINDOW, READ_WINDOW, RECORD_VERDICT
from shared.decisions.arrivals.window_closing import next_check_at
from shared.errors import PermanentError
from shared.messages import (
    CLOSED_BY_ADMISSION,
    Admission,
    AdmissionRequest,
    ArrivalWindow,
    Cause,
    Verdict,
    WindowVerdict,
)
from shared.values.wire import from_wire, to_wire

DONE_MARKER = "done_marker"
"""The event that says that the done-marker has arrived; only a hint, the ledger knows."""

ROUNDS_PER_EXECUTION = 20


def settle_arrivals(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Settle one window; its output is the admission, or the run's record when this window started one."""
    window = from_wire(ArrivalWindow, context.get_input())

    try:
        settled = yield from _wait_until_settled(context, window)
    except PermanentError as error:  # the pipeline's file is missing or broken: its arrivals get their verdict at once
        yield from CLOSE_WINDOW.call(context, window)
        admission = _rejected(error)
    else:
        if not settled:
            context.continue_as_new(to_wire(window))
            return None
        _show(context, "admitting")
        if window.schema < CLOSED_BY_ADMISSION:
            yield from CLOSE_WINDOW.call(context, window)
        admission = yield from _admit(context, window)
    yield from RECORD_VERDICT.call(
        context,
        WindowVerdict(
            window_id=window.window_id,
            pipeline=window.pipeline,
            verdict=admission.verdict,
            reason=admission.reason,
            run_id=admission.run_id,
        ),
    )
    if not admission.start or admission.run is None:
        return to_wire(admission)
    _show(context, "running", run_id=admission.run.run_id)
    record = yield context.call_sub_orchestrator("retrain_model", to_wire(admission.run), admission.run.run_id)
    return record


def _wait_until_settled(context: df.DurableOrchestrationContext, window: ArrivalWindow) -> Generator[Any, Any, bool]:
    """True when the window is to be closed; False when waiting has to go on in the next execution (continue as new)."""
    event = context.wait_for_external_event(DONE_MARKER) if window.schema >= 2 else None
    rounds, woken = 0, False
    # Never ends right after a cancelled timer: continuing as new then would have the host deliver the event to every
    # next execution again (durable extension, issue 2606).
    while rounds < ROUNDS_PER_EXECUTION or woken:
        rounds, woken = rounds + 1, False
        state = yield from READ_WINDOW.call(context, window)
        until = next_check_at(state, context.current_utc_datetime)
        if until is None:
            return True
        _show(context, "settling", arrivals=state.arrivals, opened_at=window.opened_at.isoformat())
        timer = context.create_timer(until)
        if event is None:
            yield timer
            continue
        first = yield context.task_any([event, timer])
        if first is event:
            timer.cancel()
            event, woken = None, True  # once: whether the minimum is met is checked again with each round
    return False


def _show(context: df.DurableOrchestrationContext, stage: str, **progress: Any) -> None:
    since = context.current_utc_datetime.isoformat()
    show(context, {"stage": stage, "since": since, "progress": progress})


def _admit(context: df.DurableOrchestrationContext, window: ArrivalWindow) -> Generator[Any, Any, Admission]:
    request = AdmissionRequest(
        pipeline=window.pipeline,
        cause=Cause.NEW_DATA,
        requested_by=window.window_id,
        requested_at=context.current_utc_datetime,
        window_id=window.window_id,
        closes=window if window.schema >= CLOSED_BY_ADMISSION else None,
    )
    try:
        admission = yield from ADMIT_RUN.call(context, request)
    except PermanentError as error:
        return _rejected(error)
    return admission


def _rejected(error: PermanentError) -> Admission:
    return Admission(start=False, run_id=None, verdict=Verdict.REJECTED, reason=error.reason)
