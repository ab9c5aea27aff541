"""Every value that crosses a boundary: an activity's input or output, a ledger row, an orchestration's input.

Frozen, keyword-only, self-checking and free of frameworks. References only: names, digests and numbers, never a
row of training data and never a secret. New fields get defaults, so that histories written before still read.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
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


class Outcome(StrEnum):
    """How a run ended; exactly one per run. ``NOT_PROMOTED`` is a success: the champion was better."""

    PROMOTED = "promoted"
    NOT_PROMOTED = "not_promoted"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """Where a run is; shown in its custom status."""

    ACCEPTED = "accepted"
    TRAINING = "training"
    JUDGING = "judging"
    DELIVERING = "delivering"
    ROLLING_OUT = "rolling_out"
    RECORDING = "recording"
    DONE = "done"


class Phase(StrEnum):
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
        return self in {Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED}


class Verdict(StrEnum):
    """What became of an arrival; a closed list, exactly one each in the end."""

    PENDING = "pending"
    JOINED = "joined"
    TRAINED = "trained"
    DUPLICATE = "duplicate"
    OUTSIDE = "outside"
    UNCHANGED = "unchanged"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


# --- arrivals and windows -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event saying that a blob was written. ``size`` in bytes, -1 when the event did not say.

    ``api`` is the storage operation that raised the event, such as ``PutBlob``; empty when it did not say.
    """

    event_id: str
    account: str
    container: str
    blob: str
    etag: str
    size: int
    occurred_at: datetime
    received_at: datetime
    api: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalWindow:
    """The input of ``settle_arrivals``: one claimed window of one pipeline."""

    window_id: str
    pipeline: str
    opened_at: datetime
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """What the ledger knows of a window: how many arrivals joined, and when the last one did."""

    window_id: str
    pipeline: str
    opened_at: datetime
    last_arrival_at: datetime
    arrivals: int
    quiet_seconds: float
    longest_wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRequest:
    """Ask for a training of what lies in a pipeline's container now. ``requested_by`` owns the claim it leads to."""

    pipeline: str
    cause: Cause
    requested_by: str
    requested_at: datetime
    parameters: Parameters = field(default_factory=dict)
    window_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An immutable list of blobs: where its manifest lies on the hub, and what it amounts to.

    ``digest`` is the SHA-256 of the manifest's bytes in hex; the manifest is named by it. ``size`` in bytes.
    """

    site: str
    container: str
    manifest: str
    digest: str
    blobs: int
    size: int
    newest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLimits:
    """How long a training may be queued (and prepared), how long it may run, and how long it usually runs; seconds."""

    queued_seconds: float
    running_seconds: float
    expected_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRule:
    """When a challenger is promoted: at least ``floor``, and ``margin`` better than the champion."""

    metric: str
    higher_is_better: bool
    floor: float
    margin: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """One place to roll out to, and how long a candidate there may take to become healthy."""

    name: str
    health_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a pipeline's file said when the run was admitted; later edits do not touch a run under way."""

    compute: str
    limits: TrainingLimits
    rule: PromotionRule
    targets: tuple[TargetPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The input of ``retrain_model``: everything that was decided before the run was started.

    ``plan`` comes from :func:`shared.decisions.planning.plan_of`.
    """

    run_id: str
    pipeline: str
    attempt: int
    fingerprint: str
    snapshot: Snapshot
    plan: Plan
    cause: Cause
    requested_by: str
    requested_at: datetime
    parameters: Parameters = field(default_factory=dict)
    window_id: str | None = None
    schema: int = 1

    def __post_init__(self) -> None:
        if not RUN_ID.match(self.run_id):
            raise ValueError(f"run_id {self.run_id!r} must match {RUN_ID.pattern}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer to an :class:`AdmissionRequest`.

    ``start`` is true for the one caller that owns the claim and must start ``run``; otherwise ``run_id`` names the
    run that already trained, or is training, the same fingerprint. ``reason`` is a sentence for a data owner.
    """

    start: bool
    run_id: str | None
    verdict: Verdict
    reason: str
    run: RunRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowVerdict:
    """Tell the ledger what became of every arrival that joined a window."""

    window_id: str
    pipeline: str
    verdict: Verdict
    reason: str
    run_id: str | None = None


# --- training -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """Train this snapshot under this run id. Submitting the same order twice starts one training."""

    run_id: str
    pipeline: str
    compute: str
    snapshot: Snapshot
    parameters: Parameters
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRef:
    """Names a submitted training."""

    run_id: str
    pipeline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStatus:
    """What a driver says of a training. ``detail`` is its own word for the phase, or why it failed."""

    phase: Phase
    detail: str = ""
    queue_position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPoll:
    """The input of ``await_training``, carried across continue-as-new. Rounds count from 0 over all executions."""

    order: TrainingOrder
    limits: TrainingLimits
    submitted: bool = False
    phase: Phase = Phase.QUEUED
    phase_since: datetime | None = None
    running_since: datetime | None = None
    queued_since: datetime | None = None
    rounds: int = 0
    cancelling: str = ""
    cancel_asked_at: datetime | None = None
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEnd:
    """How ``await_training`` ended: completed, failed or cancelled, after how many polls, and why."""

    phase: Phase
    reason: str = ""
    rounds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What a completed training left behind. ``metrics`` holds finite numbers only."""

    run_id: str
    pipeline: str
    metrics: dict[str, float]
    model_path: str
    started_at: datetime | None = None
    ended_at: datetime | None = None


# --- judging and delivering ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionQuery:
    """Ask who the champion of a pipeline is."""

    pipeline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The run whose model serves now; ``run_id`` is None while there is none."""

    pipeline: str
    run_id: str | None = None
    model: str | None = None
    version: str | None = None
    image: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a challenger is promoted, and the sentence that says why."""

    promoted: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a model comes from; ends up as registry tags and image labels."""

    run_id: str
    pipeline: str
    fingerprint: str
    snapshot_digest: str
    blobs: int
    metrics: dict[str, float]
    parameters: Parameters = field(default_factory=dict)
    cause: Cause = Cause.NEW_DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterModel:
    """Register the model that a run left under ``model_path`` in its outputs."""

    lineage: Lineage
    model_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A version in the Azure ML registry."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildImage:
    """Append the model that a run left under ``model_path`` to the pipeline's dependency image."""

    lineage: Lineage
    model_path: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image in the container registry. ``reference`` is ``host/repository@sha256:...``; ``size`` in bytes."""

    repository: str
    digest: str
    reference: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The input of ``roll_out``, and of each of its activities: this image of this run to this target."""

    run_id: str
    pipeline: str
    target: str
    image: str
    health_seconds: float = 60.0
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A container that runs beside the live one and gets no traffic yet. ``port`` on the VM's loopback."""

    name: str
    colour: str
    port: int
    already_live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateStep:
    """What ``roll_out`` asks of a candidate: verify it, switch to it, remove it."""

    rollout: Rollout
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the candidate answered: its health after how many seconds, and the difference to the stored sample."""

    seconds: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What serves on a target after a roll-out; ``previous_image`` stays there for roll-back."""

    target: str
    image: str
    endpoint: str
    previous_image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The answer of an activity that has nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """How a roll-out to one target ended."""

    target: str
    deployed: bool
    reason: str = ""
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The ledger's row of a run, and the output of ``retrain_model``. ``seconds`` is the wall time of the run."""

    run_id: str
    pipeline: str
    outcome: Outcome | None
    reason: str
    cause: Cause
    fingerprint: str
    attempt: int
    snapshot_digest: str
    requested_at: datetime
    ended_at: datetime | None = None
    seconds: float = 0.0
    stage: Stage = Stage.ACCEPTED
    metrics: dict[str, float] = field(default_factory=dict)
    champion_run_id: str | None = None
    model: str | None = None
    version: str | None = None
    image: str | None = None
    targets: tuple[TargetResult, ...] = ()
    window_id: str | None = None
