"""What operators do by hand: who did it, why, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.messages.serving import ServingPlan

_ANNOUNCED_FROM: Final = 2  # schema of an action


class ActorKind(StrEnum):
    """How much is known of who asked.

    ``PERSON``: signed in, as App Service authentication says. ``KEY``: whoever holds a function key. ``MESSAGE``:
    whoever may send to the queue of requests. ``APP``: the app itself.
    """

    PERSON = "person"
    KEY = "key"
    MESSAGE = "message"
    APP = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asked. ``name``: of the person, the key or the message. ``said``: the name that the request gave itself."""

    kind: ActorKind
    name: str
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """Somebody wants a run to end, and all that it made outside to be undone."""

    by: Actor
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """A pipeline that serves nothing and trains no more, until somebody reinstates it."""

    pipeline: str
    by: Actor
    reason: str
    at: datetime

    @property
    def action_id(self) -> str:
        """The id of the action that empties its targets."""
        return f"retire-{self.pipeline}-{self.at:%Y%m%dt%H%M%S%f}"


class ActionKind(StrEnum):
    """What is done to what serves, outside of any run."""

    ROLL_BACK = "roll_back"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """The input of ``roll_back`` and ``retire``.

    ``target``, ``to`` and ``bad`` are those of a roll-back: the release of run ``to`` takes the place of ``bad``'s.
    ``targets``: where a retired pipeline serves nothing any more. ``health_seconds``: how long a release may take to
    become healthy. ``superseded``: runs that waited for somebody's approval, and give way.
    """

    action_id: str
    kind: ActionKind
    pipeline: str
    by: Actor
    reason: str
    asked_at: datetime
    target: str = ""
    to: str = ""
    bad: str = ""
    targets: tuple[str, ...] = ()
    health_seconds: float = 60.0
    superseded: tuple[str, ...] = ()
    schema: int = 2

    @property
    def is_announced(self) -> bool:
        """Whether its end is published; those of schema 1 began before that was so, and go on as they began."""
        return self.schema >= _ANNOUNCED_FROM


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEnd:
    """How an action ended: ``done`` or not, in a sentence, and what is left for people to do."""

    action_id: str
    done: bool
    sentence: str
    ended_at: datetime
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedAction:
    """An action and how it ended, to be announced."""

    action: Action
    end: ActionEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGoal:
    """The input of ``reach_goal``: have a target run ``plan``, and see that it does; carried across continue-as-new.

    ``plan`` is None until it is known; ``without`` names a run whose release has to go, and the plan follows from what
    is there. ``by``: stands in the ledger beside the plan. ``until``: when it is given up; None: ``seconds`` from the
    first look on. ``trouble``: of the last try.
    """

    target: str
    pipeline: str
    by: str
    plan: ServingPlan | None = None
    without: str = ""
    seconds: float = 600.0
    until: datetime | None = None
    polls: int = 0
    trouble: str = ""
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalEnd:
    """The output of ``reach_goal``: whether the target runs what it should. ``changed``: whether that took doing.

    ``plan``: what it should run, once that was known. ``trouble``: why it does not.
    """

    target: str
    reached: bool
    changed: bool = False
    plan: ServingPlan | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnQuery:
    """Ask what a target should run when the release of a run is to go."""

    target: str
    pipeline: str
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPlan:
    """What a target should run without the run; None when the run has nothing there."""

    plan: ServingPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBackPlan:
    """What a target should run after a roll-back, and what it should run when that fails."""

    plan: ServingPlan
    before: ServingPlan
