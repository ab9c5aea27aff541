"""Messages of judgement, registration and image build, and how a roll-out ended."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.messages.admission import FrozenJob
from shared.messages.canary import CanaryStep
from shared.messages.roll_out_states import RolloutPhase
from shared.messages.sealing import Comparison
from shared.messages.serving import Approval
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
class IssuePassport:
    """Sign what is known of a run whose model is served, and attach it to its image."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedPassport:
    """Where the passport of a model's version is: attached to the run's image."""

    model: str
    version: str
    run_id: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """How a roll-out to one target ended. ``failure_kind``: whose matter it is that the target was not reached.

    ``phase``: where it ended, or from where it went back; None for roll-outs from before there were plans. ``canary``:
    its steps with their numbers. ``approval``: who decided, None when nobody had to. ``touched``: whether the target
    was told anything; if so and ``deployed`` is false, ``restored`` says whether it was seen to serve what it did
    before. ``serves``: the run whose model gets the traffic now, as far as it was seen. ``before``: the run whose model
    got it when the roll-out began.
    """

    target: str
    deployed: bool
    reason: str = ""
    endpoint: str | None = None
    failure_kind: FailureKind | None = None
    phase: RolloutPhase | None = None
    canary: tuple[CanaryStep, ...] = ()
    approval: Approval | None = None
    touched: bool = True
    restored: bool = True
    serves: str | None = None
    before: str | None = None
