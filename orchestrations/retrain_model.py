"""The retraining flow of one run: preflight, acquire compute, train, judge, register and build image, roll out, end.

A run ends with exactly one outcome in the ledger, whatever fails outside; ``not_promoted`` is a success. Requests of
schema 1 come from before compute queue and announcements, and their runs keep that behaviour; for schema 3 see
:data:`shared.messages.FAIR_COMPARISON_SCHEMA`.
"""

import azure.durable_functions as df

from orchestrations.failures import failure_of
from orchestrations.run_stages import Run, RunEndedError
from orchestrations.stage_retries import Steps
from shared.messages import Outcome, RunEventKind, RunRequest
from shared.values.wire import from_wire, to_wire


def retrain_model(context: df.DurableOrchestrationContext) -> Steps:
    """Input: a ``RunRequest`` whose fingerprint is claimed. Output: the ``RunRecord`` that the ledger holds."""
    request = from_wire(RunRequest, context.get_input())
    run = Run(context, request)
    try:
        yield from run.announce(RunEventKind.ACCEPTED)
        if not request.continues:  # else the training of that run is taken over
            yield from run.preflight()
            yield from (run.train_in_turn() if run.queues else run.train())
        if run.is_checked:
            yield from run.retry_while_outside(run.collect)
        yield from run.announce(RunEventKind.TRAINED)
        if run.is_checked:
            yield from run.retry_while_outside(run.wait_to_deliver)
        yield from run.retry_while_outside(run.judge)
        yield from run.retry_while_outside(run.deliver)
        yield from run.announce(RunEventKind.REGISTERED)
        yield from run.retry_while_outside(run.roll_out)
    except RunEndedError as end:
        run.end(end.outcome, str(end), end.kind)
    except Exception as error:  # noqa: BLE001 - refused for good, or retries ran out; the SDK knows no narrower type
        kind, reason = failure_of(error)
        run.end(Outcome.FAILED, f"{run.record.stage.value}: {reason}", kind)
    yield from run.keep()
    yield from run.let_others_deliver()
    yield from run.announce_outcome()
    yield from run.issue_passport()
    return to_wire(run.record)
