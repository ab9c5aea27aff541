"""Stage retries: repeat a stage while its failure kind is outside."""

from collections.abc import Callable, Generator
from typing import Any

import azure.durable_functions as df

from orchestrations.failures import failure_of
from orchestrations.progress import report
from shared.decisions.training.retry_schedule import STAGE_RETRY_PAUSES
from shared.messages import FailureKind, RunRecord

Steps = Generator[Any, Any, Any]


def retry_while_outside(
    context: df.DurableOrchestrationContext, steps: Callable[[], Steps], record: Callable[[], RunRecord]
) -> Steps:
    """Do the steps of a stage, again after growing pauses while the failure kind is outside; raises the last error.

    While it waits, the custom status has the reason and ``next_try_at``. Terminating the run ends the waiting.
    """
    for number, pause in enumerate(STAGE_RETRY_PAUSES, start=1):
        try:
            yield from steps()
        except Exception as error:
            kind, reason = failure_of(error)
            if kind is not FailureKind.OUTSIDE:
                raise
        else:
            return
        at = context.current_utc_datetime + pause
        report(
            context,
            record().stage,
            record=record(),
            doing="waiting before the next try",
            reason=reason,
            next_try_at=at.isoformat(),
            tries=f"{number} of {len(STAGE_RETRY_PAUSES) + 1}",
        )
        yield context.create_timer(at)
    yield from steps()
