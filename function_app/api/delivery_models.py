"""What the API answers about delivery: decisions, actions, targets, models, and runs side by side."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.messages import ActionKind, Comparison, ObservedRelease, Outcome, PlannedRelease, Scalar, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """What was decided about a run's roll-out to a target: ``approved``, ``rejected`` or ``superseded``.

    ``by`` says who, and how that is known; of a roll-out that was superseded, the run or the action that came instead.
    """

    target: str
    decision: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The decisions that hold now; the first one about a target stays."""

    run_id: str
    decisions: tuple[DecisionView, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """``run_id``: the attempt that goes on from where ``resumes`` ended."""

    run_id: str
    resumes: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstated:
    """The pipeline trains again."""

    pipeline: str
    sentence: str


class ActionState(StrEnum):
    """Where an action is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionView:
    """A roll-back or a retirement. ``sentence``: what it does, or how it ended. ``left``: what people have to do yet.

    ``target`` and ``to`` are null for a retirement.
    """

    action_id: str
    kind: ActionKind
    pipeline: str
    target: str | None
    to: str | None
    state: ActionState
    sentence: str
    by: str
    reason: str
    asked_at: datetime
    ended_at: datetime | None = None
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """What one target should serve for a pipeline, and what was seen there.

    ``serving``: the run whose release gets most of the traffic, as seen at ``observed_at``; ``since`` then. ``desired``
    was asked for by ``desired_by`` (a run, an action). ``drift``: how the two differ, empty when they do not.
    ``kept``: runs that a roll-back can bring back at once. ``sentence`` says all that in words.
    """

    target: str
    pipeline: str
    serving: str | None
    since: datetime | None
    endpoint: str | None
    desired: tuple[PlannedRelease, ...]
    desired_by: str
    desired_at: datetime | None
    observed: tuple[ObservedRelease, ...]
    observed_at: datetime | None
    kept: tuple[str, ...]
    drift: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetList:
    """One row for each target and pipeline that a model was delivered for or is to be."""

    targets: tuple[TargetView, ...]


class ModelStage(StrEnum):
    """``CANDIDATE``: its run is under way. ``CHAMPION``: its run is the champion; there is one at the most."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a model: the run that made it, and its image."""

    version: str
    run_id: str
    pipeline: str
    stage: ModelStage
    outcome: Outcome | None
    image: str | None
    metrics: dict[str, float]
    ended_at: datetime | None
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model with its newest versions, newest first. ``champion``: the version that serves; null for none."""

    name: str
    pipelines: tuple[str, ...]
    champion: str | None
    versions: tuple[ModelVersion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    """Every model that a pipeline names or a run has made."""

    models: tuple[ModelView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """How the files of one snapshot differ from those of another: numbers, and the first names of each."""

    added: int
    removed: int
    changed: int
    first_added: tuple[str, ...] = ()
    first_removed: tuple[str, ...] = ()
    first_changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """What a run was made of, as far as the ledger knows. ``code``: the digest of its training code."""

    run_id: str
    pipeline: str
    outcome: Outcome | None
    stage: Stage
    requested_at: datetime
    snapshot: str
    files: int
    code: str
    holdout: str
    evaluator: str
    parameters: dict[str, Scalar]
    metrics: dict[str, float]
    image: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedValue:
    """A parameter of two runs; null where one has none."""

    name: str
    left: Scalar | None
    right: Scalar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMetric:
    """A metric of two runs. ``difference``: right less left; null when one has none."""

    name: str
    left: float | None
    right: float | None
    difference: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two runs side by side.

    ``parameters``: those that differ. ``files``: what ``right`` has and ``left`` has not, and so on; null when a
    manifest cannot be read, then ``files_unknown`` says why. ``comparable``: whether both were measured on the same
    rows by the same code; otherwise differences of metrics say nothing. ``interval``: row by row, when one of the two
    was judged against the other.
    """

    left: ComparedRun
    right: ComparedRun
    parameters: tuple[ComparedValue, ...]
    files: FileChanges | None
    files_unknown: str
    metrics: tuple[ComparedMetric, ...]
    comparable: bool
    interval: Comparison | None
    sentence: str
