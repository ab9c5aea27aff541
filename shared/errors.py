"""The two families of errors, and the codes that survive the wire.

::

    EdgetrainError
    ├── TransientError      the outside world may recover: raised, and retried by the durable retry policy
    │   └── UnansweredError nobody answered at all
    └── PermanentError      trying again cannot help: becomes the reply {"rejected": code, "reason": text}
        └── NotAllowedError whoever asked lacks the right, or is not who they say

Durable Functions hands an activity's exception to the orchestration as a bare ``Exception`` with text, so a
type cannot cross; a reply with a code can (see ``shared.contracts``).
"""

from enum import StrEnum

from shared.values.texts import one_line


class Code(StrEnum):
    """What went wrong for good; stable, because it is stored in histories and shown to people."""

    BAD_PIPELINE = "bad_pipeline"
    UNKNOWN_PIPELINE = "unknown_pipeline"
    BAD_REQUEST = "bad_request"
    CODE_MISSING = "code_missing"
    NO_DATA = "no_data"
    UNREADABLE_NAMES = "unreadable_names"
    BAD_CONFIGURATION = "bad_configuration"
    TRAINING_UNKNOWN = "training_unknown"
    TRAINING_OUTPUT_MISSING = "training_output_missing"
    TRAINING_OUTPUT_REFUSED = "training_output_refused"
    MODEL_MISSING = "model_missing"
    DEPENDENCY_IMAGE_MISSING = "dependency_image_missing"
    IMAGE_MOVED = "image_moved"
    RECEIPT_REFUSED = "receipt_refused"
    ADMITTED_BEFORE = "admitted_before"
    REGISTRY_REFUSED = "registry_refused"
    TARGET_NOT_PREPARED = "target_not_prepared"
    CANDIDATE_FAILED = "candidate_failed"
    STALE_PLAN = "stale_plan"
    SIGNATURE_REFUSED = "signature_refused"
    UNKNOWN_RELEASE = "unknown_release"
    NOT_READY = "not_ready"
    RUN_CANCELLED = "run_cancelled"
    PIPELINE_RETIRED = "pipeline_retired"
    RUN_ENDED = "run_ended"


class EdgetrainError(Exception):
    """Root of everything this project raises on purpose."""


class TransientError(EdgetrainError):
    """The outside world did not answer as it should, and may do so later."""


class UnansweredError(TransientError):
    """Nobody answered at all: refused, reset, timed out, no such name. Whoever else asks there would wait as long."""


class PermanentError(EdgetrainError):
    """Trying the same again cannot help.

    ``code`` says what kind of trouble it is; the text says what is wrong and what to do about it, on one line without
    control characters, since parts of it may come from outside.
    """

    def __init__(self, reason: str, *, code: Code | str) -> None:
        self.reason = one_line(reason)
        super().__init__(self.reason)
        self.code = Code(code)


class NotAllowedError(PermanentError):
    """The service knows no such credentials, or they lack the right. Somebody else may still be allowed to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code=Code.BAD_CONFIGURATION)
