"""Messages of judgement, registration, image build and roll-out."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.messages.admission import FrozenJob
from shared.messages.sealing import Comparison
from shared.messages.vocabulary import Cause, FailureKind, Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionQuery:
    """Ask for the champion of a pipeline."""

    pipeline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best number that a champion of a pipeline has reached so far, and what it was measured on."""

    run_id: str
    metric: str
    higher_is_better: bool
    value: float
    holdout: str
    evaluator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The run whose model serves now; ``run_id`` is None while there is none.

    ``metrics`` were measured on the hold-out of digest ``holdout`` by code of digest ``evaluator``, both empty when
    that was not kept: numbers of other digests say nothing about them. ``bests``: over all champions so far, the last
    used first.
    """

    pipeline: str
    run_id: str | None = None
    model: str | None = None
    version: str | None = None
    image: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    holdout: str = ""
    evaluator: str = ""
    bests: tuple[Best, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionMeasurement:
    """What a training measured of the champion's model, on the rows and with the code that its own was measured with.

    ``run_id``: the champion's. ``metrics`` holds finite numbers only, and nothing when it could not be measured;
    ``trouble`` says why, in words fit for people. ``comparison``: row by row, when both models' losses are known.
    """

    run_id: str
    metrics: dict[str, float] = field(default_factory=dict)
    trouble: str = ""
    comparison: Comparison | None = None


class RuleResult(StrEnum):
    """What became of a rule of a judgement. ``CANNOT_TELL``: the numbers that it needs are not there, or too few."""

    MET = "met"
    NOT_MET = "not_met"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRule:
    """One rule of a judgement, by its field in the pipeline's file, with the value that was held against its limit."""

    rule: str
    result: RuleResult
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a challenger is promoted, and the sentence that says why.

    ``champion_value``: the number of the champion's that it was compared with. ``comparable`` is false when there is a
    champion and none of its numbers was measured on the same thing. ``overtaken``: because it became the champion while
    the challenger trained, so that another attempt can be compared with it. ``rules``: every rule that was looked at.
    """

    promoted: bool
    reason: str
    champion_value: float | None = None
    comparable: bool = True
    overtaken: bool = False
    rules: tuple[JudgedRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a model comes from; ends up as registry tags and image labels.

    ``manifest``: the path of its snapshot's manifest on the hub of ``site``. ``code``: the digest of the training code.
    ``champion_before``: the run that served when this one was judged.
    """

    run_id: str
    pipeline: str
    fingerprint: str
    snapshot_digest: str
    blobs: int
    metrics: dict[str, float]
    parameters: Parameters = field(default_factory=dict)
    cause: Cause = Cause.NEW_DATA
    holdout: str = ""
    evaluator: str = ""
    attempt: int = 1
    site: str = ""
    manifest: str = ""
    code: str = ""
    champion_before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterModel:
    """Register the model below ``model_path`` in a run's outputs.

    ``name`` in the registry; empty in commands from before runs carried it.
    """

    lineage: Lineage
    model_path: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A version in the Azure ML registry."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildImage:
    """Append the model below ``model_path`` in a run's outputs to the dependency image of its code.

    ``job`` is None in commands from before runs carried it. ``for_run``: the run that the image is built for, when that
    is not the one that trained the model.
    """

    lineage: Lineage
    model_path: str
    created_at: datetime
    job: FrozenJob | None = None
    for_run: str = ""


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
    """A step of a roll-out for a candidate: verify it, switch to it, remove it."""

    rollout: Rollout
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a target serves after a roll-out, and where."""

    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """How a roll-out to one target ended. ``failure_kind``: whose matter it is that the target was not reached."""

    target: str
    deployed: bool
    reason: str = ""
    endpoint: str | None = None
    failure_kind: FailureKind | None = None
