"""Map an exception that ended a step of an orchestration to its failure kind and reason."""

from orchestrations.progress import first_line, gave_up
from shared.decisions.training.failure_causes import failure_kind_of
from shared.errors import EdgetrainError, PermanentError
from shared.messages import FailureKind

_READ_LOG = "read the app's log of that time"


class AttributedError(EdgetrainError):
    """An error that carries its failure kind; None: it is not a failure."""

    def __init__(self, reason: str, kind: FailureKind | None) -> None:
        super().__init__(reason)
        self.kind = kind


def failure_of(error: Exception) -> tuple[FailureKind | None, str]:
    """The failure kind of an exception, and the reason to record.

    The SDK raises a bare ``Exception`` for an activity whose retries ran out. Any other foreign exception is a bug in
    the app, which waiting does not repair.
    """
    if isinstance(error, AttributedError):
        return error.kind, str(error)
    if isinstance(error, PermanentError):
        return failure_kind_of(error), error.reason
    if type(error) is Exception:
        return FailureKind.OUTSIDE, gave_up(error)
    return FailureKind.UNKNOWN, f"this is a fault of the app: {type(error).__name__}: {first_line(error)}; {_READ_LOG}"
