"""The state of a roll-out to one target: the input of ``roll_out``, so that it can continue as new at any point."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.messages.canary import CanaryEvidence, CanaryStep, Tally
from shared.messages.serving import Approval, ServingPlan
from shared.messages.vocabulary import FailureKind


class RolloutPhase(StrEnum):
    """Where a roll-out to a target is. ``RETURNING``: it goes back to what the target served before."""

    APPROVAL = "approval"
    LOOKING = "looking"
    CANDIDATE = "candidate"
    CANARY = "canary"
    SWITCHING = "switching"
    WATCHING = "watching"
    RETURNING = "returning"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters of a release when they were read last."""

    run_id: str
    counted: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """All that a roll-out remembers between two looks at its target; ``phase`` is None before the first one.

    ``since``: when the phase, or the step of the canary, began; ``looks``: at the target since then. ``left``: the
    phase from which it goes back. ``before``: what the target served when the roll-out began, ``before_healthy``
    whether that was healthy, and ``was_live`` whether the run's own release got traffic already. ``plan``: what is
    wanted now; ``taken``: whether the target took it; ``settled_at``: since when it was first seen to run it, and
    ``unsettled_since`` since when it does not. ``started_at``: since when the candidate's image is there.
    ``unreached_since``: since when nothing but errors came from the target; ``ill_since`` and ``stable_ill_since``:
    since when the candidate, and the stable release, are ill. ``stale``: plans that came too late. ``announced``: how
    often the decision was asked for. ``reason`` and ``failure_kind``: why it goes back.
    """

    phase: RolloutPhase | None = None
    since: datetime | None = None
    looks: int = 0
    left: RolloutPhase | None = None
    approval: Approval | None = None
    announced: int = 0
    before: ServingPlan | None = None
    before_healthy: bool = True
    was_live: bool = False
    plan: ServingPlan | None = None
    taken: bool = False
    settled_at: datetime | None = None
    unsettled_since: datetime | None = None
    started_at: datetime | None = None
    step: int = 0
    evidence: CanaryEvidence = field(default_factory=CanaryEvidence)
    readings: tuple[Reading, ...] = ()
    canary: tuple[CanaryStep, ...] = ()
    unreached_since: datetime | None = None
    ill_since: datetime | None = None
    stable_ill_since: datetime | None = None
    stale: int = 0
    endpoint: str | None = None
    reason: str = ""
    failure_kind: FailureKind | None = None
