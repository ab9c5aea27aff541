"""Messages between a roll-out and the places that serve: what is wanted there, and what was seen there."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

DELIVERY_SCHEMA = 5
"""Run requests of this schema and later are rolled out by plans, with approval, canary and roll-back."""

MOST_RELEASES = 2
"""Releases of a pipeline that a target runs side by side: the stable one and a candidate, or the one before."""


class WithoutTraffic(StrEnum):
    """What a canary does that got too few requests to be judged. ``GO_ON``: to the next step. ``BACK``: roll back."""

    GO_ON = "go_on"
    BACK = "back"


class OnFailure(StrEnum):
    """What a target's failure means for the others. ``KEEP``: nothing. ``ROLL_BACK_ALL``: they go back too."""

    KEEP = "keep"
    ROLL_BACK_ALL = "roll_back_all"


class Otherwise(StrEnum):
    """What happens when nobody has decided in time."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingResources:
    """What each container of a model may use: ``memory`` such as ``512m`` or ``2g``; ``cpus`` in cores."""

    memory: str = "512m"
    cpus: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How traffic moves to a candidate: ``steps`` of its weight in percent, each held ``soak_seconds``.

    No steps: all at once. A step is judged from ``least_requests`` requests to the candidate on; ``without_traffic``
    says what a step with fewer means. ``watch_seconds``: how long the target is watched after the switch.
    """

    steps: tuple[int, ...] = ()
    soak_seconds: float = 300.0
    least_requests: int = 200
    without_traffic: WithoutTraffic = WithoutTraffic.GO_ON
    watch_seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """Somebody has to approve before a target is touched: within ``seconds``, else ``otherwise`` counts.

    ``remind_seconds``: announced again after so long without a decision.
    """

    seconds: float = 72 * 3600.0
    otherwise: Otherwise = Otherwise.REJECT
    remind_seconds: float = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRule:
    """How a run is delivered: to so many targets at a time, and what one target's failure means for the others."""

    max_parallel: int = 20
    on_failure: OnFailure = OnFailure.KEEP
    strategy: Strategy = field(default_factory=Strategy)
    approval: ApprovalRule | None = None
    resources: ServingResources = field(default_factory=ServingResources)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRelease:
    """A release that a target should run: a run's image by digest, and its part of the traffic in percent.

    Weight 0: it runs, is checked and can be scored for a test, and no client's request reaches it. ``model`` and
    ``version`` are its names in the registry, which its answers carry; empty when they are not known.
    """

    run_id: str
    image: str
    weight: int
    resources: ServingResources = field(default_factory=ServingResources)
    model: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise ValueError(f"weight must be from 0 to 100, not {self.weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPlan:
    """All that a target should run for a pipeline; what is not named here is to go. No releases: serve nothing.

    The weights sum to 100, or to 0 while nothing serves yet. ``based_on``: the ``revision`` of the :class:`Serving`
    that the plan was made for; a target refuses a plan that was made for an older one. Empty: whatever is there.
    """

    target: str
    pipeline: str
    releases: tuple[PlannedRelease, ...] = ()
    based_on: str = ""

    def __post_init__(self) -> None:
        if len({release.run_id for release in self.releases}) != len(self.releases) or (
            len(self.releases) > MOST_RELEASES
        ):
            raise ValueError(f"a plan has at most {MOST_RELEASES} releases, of different runs")
        if sum(release.weight for release in self.releases) not in {0, 100}:
            raise ValueError("the weights of a plan must sum to 100, or be 0 while nothing serves")

    def release(self, run_id: str) -> PlannedRelease | None:
        """The release of a run; None when the plan has none."""
        return next((release for release in self.releases if release.run_id == run_id), None)


class ReleaseState(StrEnum):
    """How a release is. ``HEALTHY``: it passed its health check and answered the smoke sample as in training.

    ``GONE``: its container, or revision, is not there.
    """

    PULLING = "pulling"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRelease:
    """What a target says of a release. ``weight``: the percent of the traffic that it really gets.

    ``requests`` and ``errors`` (answers of 500 and above, and none at all) are counted since some moment that the
    target chooses: only differences say something, and a smaller number means that counting began anew. ``latency_ms``:
    the mean over recent requests. ``trouble``: why it is unhealthy, in words fit for people, with the end of its log.
    ``final``: whether waiting cannot make it healthy. ``resources``, ``model`` and ``version``: as it was planned with;
    None and empty where the target does not keep them.
    """

    run_id: str
    image: str
    state: ReleaseState
    weight: int = 0
    requests: int = 0
    errors: int = 0
    latency_ms: float | None = None
    since: datetime | None = None
    trouble: str = ""
    final: bool = False
    resources: ServingResources | None = None
    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a target runs for a pipeline. ``revision`` changes with every plan that is applied there.

    ``endpoint``: where clients score; None while there is no such place. ``kept``: runs that had all of the
    traffic here, newest first, and whose images are still there, so that a roll-back is quick.
    """

    target: str
    pipeline: str
    releases: tuple[ObservedRelease, ...] = ()
    revision: str = ""
    endpoint: str | None = None
    kept: tuple[str, ...] = ()

    @property
    def live(self) -> ObservedRelease | None:
        """The release that gets most of the traffic; None when none gets any."""
        serving = [release for release in self.releases if release.weight > 0]
        return max(serving, key=lambda release: release.weight, default=None)

    def release(self, run_id: str) -> ObservedRelease | None:
        """The release of a run; None when the target has none."""
        return next((release for release in self.releases if release.run_id == run_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPlan:
    """Have a target run a plan. ``by``: the run, or the operation, that wants it; stands in the ledger beside it.

    ``before``: what ``by`` found there when it began; None: what was wanted there before.
    """

    plan: ServingPlan
    by: str
    before: ServingPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveTarget:
    """Ask a target what it runs for a pipeline."""

    target: str
    pipeline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """What the ledger knows of a target and a pipeline.

    ``desired``: the plan that was wanted there last, by whom and since when; it is written before the target hears of
    it, so the target may be behind. ``before``: the plan that was wanted there, or found there, before ``desired_by``
    wanted its first one: what undoing goes back to; None when nothing is known of that. ``seen``: what it ran when it
    was observed last. ``drift``: in which way the two differ and what is done about it, in words fit for people; empty
    when they do not. ``told``: whether ``drifted`` was announced, and ``mended`` was not since.
    """

    target: str
    pipeline: str
    desired: ServingPlan | None = None
    desired_by: str = ""
    desired_at: datetime | None = None
    before: ServingPlan | None = None
    seen: Serving | None = None
    seen_at: datetime | None = None
    drift: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalQuery:
    """Ask whether somebody has decided on a run's roll-out to a target.

    ``otherwise``: what is recorded as the decision when nobody has, because the time for it is over, so that whoever
    comes later is told; None: it is not over yet.
    """

    run_id: str
    target: str
    otherwise: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A decision on a run's roll-out to a target; ``approved`` is None while nobody has decided.

    ``by``: who decided, in words that say how that is known; empty when nobody did in time. ``reason``: theirs.
    ``superseded_by``: the run, or the action of an operator, that the roll-out gave way to while it waited; nobody
    rejected it then.
    """

    run_id: str
    target: str
    approved: bool | None = None
    by: str = ""
    reason: str = ""
    at: datetime | None = None
    superseded_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImage:
    """The image that was built for a run: ``reference`` by digest, and the digests of the images it was made from."""

    run_id: str
    pipeline: str
    reference: str
    parents: tuple[str, ...] = ()
    at: datetime | None = None
