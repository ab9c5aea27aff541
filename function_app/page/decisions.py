"""What somebody must decide about a run, as its progress tells."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from function_app.api.models import RunView
from shared.messages import RolloutPhase, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Somebody must say yes or no to a roll-out; ``until``: what happens by itself then is in the pipeline's file."""

    run_id: str
    target: str
    until: datetime | None


def decisions_of(run: RunView) -> tuple[Decision, ...]:
    """What somebody must decide about a run that is under way."""
    if run.stage is not Stage.ROLLING_OUT or not isinstance(run.progress, dict):
        return ()
    roll_outs = run.progress.get("roll_outs")
    if not isinstance(roll_outs, dict):
        return ()
    waiting = ((name, told) for name, told in roll_outs.items() if told.get("phase") == RolloutPhase.APPROVAL.value)
    return tuple(
        Decision(run_id=run.run_id, target=name, until=_moment(told.get("decide_until"))) for name, told in waiting
    )


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
