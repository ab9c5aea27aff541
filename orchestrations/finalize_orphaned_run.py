"""Finalize a run: undo what it made outside, record its outcome, announce it, give its compute back.

Started when somebody cancels a run, or by the reconciler for an orphaned one; the input is the record to write, to
which is added what could not be undone (``undo_run``). The outcome is recorded before the compute is given back,
so that orchestrations that may be left of the run get no turn any more.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import azure.durable_functions as df

from orchestrations.await_compute import give_back
from orchestrations.progress import announce, first_line, report
from orchestrations.undo_run import undo
from shared.contracts import CANCEL_TRAINING, RECORD_RUN
from shared.errors import Code, PermanentError
from shared.formats.size_limits import bounded_record
from shared.messages import UNDOING, Outcome, RunEnd, RunEventKind, Stage, TrainingRef, delivery_of
from shared.values.wire import from_wire, to_wire

NAME = "wind_up_run"  # the registered name, which the host stores


def finalize_orphaned_run(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Output: the ``RunRecord`` in the ledger. Fails only when the ledger cannot be written."""
    end = from_wire(RunEnd, context.get_input())
    record, outcome = end.record, end.record.outcome or Outcome.FAILED
    if end.schema >= UNDOING:
        left = yield from undo(context, end)
    else:
        report(context, record.stage, doing="cancelling the training")
        left = yield from _cancel(context, TrainingRef(run_id=record.run_id, pipeline=record.pipeline))
    ended_at = record.ended_at or context.current_utc_datetime
    record = bounded_record(replace(record, outcome=outcome, reason=f"{record.reason}{left}", ended_at=ended_at))
    report(context, Stage.RECORDING)
    yield from RECORD_RUN.call(context, record)
    yield from give_back(context, end.compute, record.run_id)
    if end.delivers:
        yield from give_back(context, delivery_of(record.pipeline), record.run_id)
    yield from announce(context, RunEventKind.ending(outcome), record)
    return to_wire(record)


def _cancel(context: df.DurableOrchestrationContext, training: TrainingRef) -> Generator[Any, Any, str]:
    """Cancel the training; returns what to add to the run's reason."""
    try:
        yield from CANCEL_TRAINING.call(context, training)
    except PermanentError as error:
        return "" if error.code is Code.TRAINING_UNKNOWN else f"; its training could not be cancelled: {error.reason}"
    except Exception as error:  # noqa: BLE001 - retries ran out; the run must end all the same
        return f"; its training could not be cancelled, so cancel it in Azure ML: {first_line(error)}"
    return ""
