"""Whose matter an error is, and waiting for trouble outside before a stage is tried again."""

from collections.abc import Callable, Generator
from typing import Any

import azure.durable_functions as df

from orchestrations.progress import first_line, gave_up, report
from shared.decisions.training.failure_causes import kind_of
from shared.decisions.training.retry_schedule import WITHIN_A_RUN
from shared.errors import EdgetrainError, PermanentError
from shared.messages import FailureKind, Stage

Steps = Generator[Any, Any, Any]


class BlamedError(EdgetrainError):
    """Something ended with an error of which it is known whose matter it is; None: it is no failure."""

    def __init__(self, reason: str, kind: FailureKind | None) -> None:
        super().__init__(reason)
        self.kind = kind


def blamed(error: Exception) -> tuple[FailureKind | None, str]:
    """Whose matter an error is, and the reason that is told.

    The SDK raises a bare ``Exception`` for an activity whose retries ran out. Any other that is not ours is a fault of
    the app itself: waiting does not mend it.
    """
    if isinstance(error, BlamedError):
        return error.kind, str(error)
    if isinstance(error, PermanentError):
        return kind_of(error), error.reason
    if type(error) is Exception:
        return FailureKind.OUTSIDE, gave_up(error)
    return FailureKind.UNKNOWN, f"this is a fault of the app: {type(error).__name__}: {first_line(error)}"


def patiently(context: df.DurableOrchestrationContext, steps: Callable[[], Steps], stage: Callable[[], Stage]) -> Steps:
    """Do the steps of a stage, again after ever longer pauses while what fails them is outside; raises the last error.

    While it waits, the custom status has the reason and ``next_try_at``. Terminating the run ends the waiting.
    """
    for number, pause in enumerate(WITHIN_A_RUN, start=1):
        try:
            yield from steps()
        except Exception as error:
            kind, reason = blamed(error)
            if kind is not FailureKind.OUTSIDE:
                raise
        else:
            return
        at = context.current_utc_datetime + pause
        report(
            context,
            stage(),
            doing="waiting for trouble outside to be over",
            reason=reason,
            next_try_at=at.isoformat(),
            tries=f"{number} of {len(WITHIN_A_RUN) + 1}",
        )
        yield context.create_timer(at)
    yield from steps()
