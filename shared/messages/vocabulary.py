"""The enumerations that messages, ledger and API share."""

import re
from enum import StrEnum

RUN_ID = re.compile(r"^[a-zA-Z0-9][\w-]{0,254}$")  # what Azure ML accepts as a run id

Scalar = str | int | float | bool
Parameters = dict[str, Scalar]


class Cause(StrEnum):
    """Why a run was asked for."""

    NEW_DATA = "new_data"
    OPERATOR = "operator"
    UPSTREAM = "upstream"
    SCHEDULE = "schedule"
    CODE = "code"


class Outcome(StrEnum):
    """How a run ended; exactly one per run. ``NOT_PROMOTED`` is a success: the champion was better."""

    PROMOTED = "promoted"
    NOT_PROMOTED = "not_promoted"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FailureKind(StrEnum):
    """Whose matter a failure is. Only data and code count against a fingerprint.

    ``DATA``: the files were read and refused. ``CODE``: the pipeline's own code failed, and would fail again.
    ``OUTSIDE``: what the training needs was not there, such as the VM, the hub, a credential, memory or disk.
    ``UNKNOWN``: nobody knows, so it is nobody's fault.
    """

    DATA = "data"
    CODE = "code"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"

    @property
    def counts(self) -> bool:
        """Whether the same data and code would fail again, so that it counts towards a quarantine."""
        return self in {FailureKind.DATA, FailureKind.CODE}


class Stage(StrEnum):
    """Where a run is; shown in its custom status."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    TRAINING = "training"
    JUDGING = "judging"
    DELIVERING = "delivering"
    ROLLING_OUT = "rolling_out"
    RECORDING = "recording"
    DONE = "done"


class TrainingPhase(StrEnum):
    """Where a training is, in our words; a driver maps its own states to these."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing will change any more."""
        return self in {TrainingPhase.COMPLETED, TrainingPhase.FAILED, TrainingPhase.CANCELLED}


class Verdict(StrEnum):
    """What became of an arrival; a closed list, exactly one each. ``JOINED`` holds while its window is open."""

    JOINED = "joined"
    TRAINED = "trained"
    DUPLICATE = "duplicate"
    OUTSIDE = "outside"
    UNCHANGED = "unchanged"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


class WithoutComparison(StrEnum):
    """What becomes of a challenger that cannot be compared with the champion. ``KEEP``: the champion stays."""

    KEEP = "keep"
    PROMOTE = "promote"


class QueuePolicy(StrEnum):
    """What a run does when its compute is taken.

    ``QUEUE``: it waits for its turn. ``LATEST_WINS``: it waits, and takes the place of waiting runs of its pipeline.
    ``REJECT``: it ends at once.
    """

    QUEUE = "queue"
    LATEST_WINS = "latest-wins"
    REJECT = "reject"
