"""Messages of a training: order, status, result."""

from dataclasses import dataclass
from datetime import datetime

from shared.messages.admission import FrozenJob, LeftOut, Snapshot, TrainingLimits
from shared.messages.delivery import ChampionMeasurement
from shared.messages.sealing import ReceiptSummary, Workload
from shared.messages.vocabulary import FailureKind, Parameters, TrainingPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """Train this snapshot under this run id. Submitting the same order twice starts one training.

    ``job`` and ``running_seconds``, the longest that it may run, are None in orders from before runs carried them.
    ``champion``: the run whose model is to be measured beside the new one, None for nobody's, and ``champion_image``
    its image by digest. ``evaluator``: digest of the code that measures both.
    ``judged_metric``: the one that must be a number. ``leave_out_faulty``: files with a fault do not fail the training.
    ``workload`` is None in orders of schemas before :data:`shared.messages.SEALED_SCHEMA`. ``level``: of the interval
    that both models are compared with, row by row. ``traceparent``: the span that the training belongs to.
    """

    run_id: str
    pipeline: str
    compute: str
    snapshot: Snapshot
    parameters: Parameters
    fingerprint: str
    job: FrozenJob | None = None
    running_seconds: float | None = None
    champion: str | None = None
    evaluator: str = ""
    judged_metric: str = ""
    leave_out_faulty: bool = False
    workload: Workload | None = None
    champion_image: str = ""
    level: float = 0.95
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRef:
    """Names a submitted training. ``metrics``: the judged ones, which must not be missing.

    ``compute``: where it ran, if it leaves a receipt; empty for trainings of schemas before sealed training.
    """

    run_id: str
    pipeline: str
    metrics: tuple[str, ...] = ()
    compute: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStatus:
    """A driver's status of a training. ``detail`` is the driver's own word for the phase, or the reason of a failure.

    ``failure_kind``: None for phases other than failed, and from older apps. ``unmeasured``: of a training that was
    just submitted, why it does not measure the champion's model; empty when it does, or when there is none.
    """

    phase: TrainingPhase
    detail: str = ""
    queue_position: int | None = None
    failure_kind: FailureKind | None = None
    unmeasured: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPoll:
    """The input of ``await_training``, carried across continue-as-new. Rounds count from 0 over all executions.

    ``schema``: the run request's; since 3 the start of a training is tried for longer, while its VM is being attached;
    since 7 the answer to the submission is the first look at the training.
    """

    order: TrainingOrder
    limits: TrainingLimits
    submitted: bool = False
    phase: TrainingPhase = TrainingPhase.QUEUED
    phase_since: datetime | None = None
    running_since: datetime | None = None
    queued_since: datetime | None = None
    rounds: int = 0
    cancelling: str = ""
    cancel_asked_at: datetime | None = None
    unmeasured: str = ""
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEnd:
    """The end of ``await_training``: completed, failed or cancelled, after how many polls, and why.

    ``failure_kind``: None for phases other than failed, and from older apps. ``job_failed``: whether the failure counts
    against data, code or parameters. ``unmeasured``: why it did not measure the champion's model; empty: it did.
    """

    phase: TrainingPhase
    reason: str = ""
    rounds: int = 0
    job_failed: bool = False
    failure_kind: FailureKind | None = None
    unmeasured: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """The result of a completed training, and its omissions. ``metrics`` holds finite numbers only.

    ``receipt``: what left the site; None for trainings from before there were receipts.
    """

    run_id: str
    pipeline: str
    metrics: dict[str, float]
    model_path: str
    ended_at: datetime | None = None
    compared: ChampionMeasurement | None = None
    left_out: tuple[LeftOut, ...] = ()
    receipt: ReceiptSummary | None = None
