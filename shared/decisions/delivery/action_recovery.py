"""What the reconciler does about a roll-back or a retirement without an end. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.decisions.delivery.action_sentences import given_up, terminated
from shared.decisions.reconciliation.orphans import InstanceStatus, Liveness, first_line, within_grace
from shared.messages import Action

GIVE_UP_AFTER = timedelta(hours=24)
PAUSE = timedelta(minutes=10)
"""Between starts of an action whose orchestration fails."""


@dataclass(frozen=True, slots=True)
class StartAction:
    """Start its orchestration, in place of one that has ended."""


@dataclass(frozen=True, slots=True)
class EndAction:
    """Record that it failed, and why."""

    sentence: str


def decide_orphaned_action(
    action: Action, instance: InstanceStatus, *, now: datetime
) -> StartAction | EndAction | None:
    """What to do; None: leave it alone. Whoever terminates an action wants it to end; the others are started again."""
    if instance.life is Liveness.ALIVE:
        return None
    if instance.life is Liveness.NEVER:
        return None if within_grace(action.asked_at, now) else StartAction()
    if instance.life is Liveness.TERMINATED:
        return EndAction(terminated(action, first_line(instance.said)))
    if abs(now - action.asked_at) > GIVE_UP_AFTER:
        return EndAction(given_up(action))
    lately = instance.updated_at is not None and abs(now - instance.updated_at) < PAUSE
    return None if lately else StartAction()
