"""Messages of a training: order, status, result."""

from dataclasses import dataclass
from datetime import datetime

from shared.messages.admission import FrozenJob, LeftOut, Snapshot, TrainingLimits
from shared.messages.delivery import ChampionMeasurement
from shared.messages.vocabulary import FailureKind, Parameters, TrainingPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """Train this snapshot under this run id. Submitting the same order twice starts one training.

    ``job`` and ``running_seconds``, the longest that it may run, are None in orders from before runs carried them.
    ``champion``: the run whose model is to be measured beside the new one, None for nobody's. ``evaluator``: digest of
    the code that measures both.
    ``judged_metric``: the one that must be a number. ``leave_out_faulty``: files with a fault do not fail the training.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRef:
    """Names a submitted training. ``metrics``: those that are judged, which must not be missed."""

    run_id: str
    pipeline: str
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStatus:
    """What a driver says of a training. ``detail`` is its own word for the phase, or why it failed.

    ``failure_kind``: whose matter a failure is; None for other phases, and from apps before the kind.
    """

    phase: TrainingPhase
    detail: str = ""
    queue_position: int | None = None
    failure_kind: FailureKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPoll:
    """The input of ``await_training``, carried across continue-as-new. Rounds count from 0 over all executions.

    ``schema``: the run request's; since 3 the start of a training is tried for longer, while its VM is being attached.
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
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEnd:
    """How ``await_training`` ended: completed, failed or cancelled, after how many polls, and why.

    ``failure_kind``: whose matter a failure is; None for other phases, and from apps before the kind.
    ``job_failed``: whether it counts against data, code or parameters.
    """

    phase: TrainingPhase
    reason: str = ""
    rounds: int = 0
    job_failed: bool = False
    failure_kind: FailureKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What a completed training left behind, and what it did without. ``metrics`` holds finite numbers only.

    ``compared``: what it measured of the champion that its order named; None when it says nothing of one.
    """

    run_id: str
    pipeline: str
    metrics: dict[str, float]
    model_path: str
    ended_at: datetime | None = None
    compared: ChampionMeasurement | None = None
    left_out: tuple[LeftOut, ...] = ()
