"""What somebody must decide about a run, as its progress tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from function_app.api.models import RunView
from function_app.page.screens.statuses import moment_in
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
    waiting = ((name, told) for name, told in roll_outs.items() if _waits(told))
    return tuple(
        Decision(run_id=run.run_id, target=name, until=moment_in(told.get("decide_until"))) for name, told in waiting
    )


def _waits(told: object) -> bool:
    return isinstance(told, Mapping) and told.get("phase") == RolloutPhase.APPROVAL.value
