"""What a roll-out is told, and what it asks for; see :mod:`shared.decisions.delivery.roll_out_steps`."""

from dataclasses import dataclass
from datetime import datetime

from shared.errors import Code
from shared.messages import Approval, FailureKind, Serving, ServingPlan, TargetResult


@dataclass(frozen=True, slots=True)
class Began:
    """The roll-out begins, or goes on after whatever interrupted it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The target took the plan."""


@dataclass(frozen=True, slots=True)
class Looked:
    """The target was observed."""

    serving: Serving


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision was read; nobody may have decided yet. ``final``: what is decided otherwise was recorded, if so."""

    approval: Approval
    final: bool = True


@dataclass(frozen=True, slots=True)
class Announced:
    """It was announced that a decision is awaited, or could not be; that is the same."""


@dataclass(frozen=True, slots=True)
class Failed:
    """What was asked for failed. ``code``: None when trying again may help."""

    reason: str
    kind: FailureKind | None = FailureKind.OUTSIDE
    code: Code | None = None


Event = Began | Applied | Looked | Decided | Announced | Failed


@dataclass(frozen=True, slots=True)
class Apply:
    """Give the target this plan."""

    plan: ServingPlan


@dataclass(frozen=True, slots=True)
class Look:
    """Observe the target after so many seconds."""

    after: float


@dataclass(frozen=True, slots=True)
class ReadDecision:
    """Read whether somebody has decided, not before ``at``, or as soon as there is a hint that somebody has."""

    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AnnounceWish:
    """Announce that a decision is awaited, for the ``number``-th time."""

    number: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The roll-out has ended."""

    result: TargetResult


Action = Apply | Look | ReadDecision | AnnounceWish | Finish
