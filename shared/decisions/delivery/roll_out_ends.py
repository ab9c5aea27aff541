"""How a roll-out to one target ends, in fields and in words. Pure."""

from dataclasses import replace
from datetime import datetime

from shared.decisions.delivery.plans import stable_of
from shared.decisions.delivery.roll_out_events import Action, Finish
from shared.messages import Rollout, RolloutPhase, RolloutState, Serving, TargetResult

Step = tuple[RolloutState, Action]

BY_ITSELF = "the app brings it back to what it served before as soon as it can"
_UNTOUCHED = {None, RolloutPhase.APPROVAL, RolloutPhase.LOOKING}


def succeeded(rollout: Rollout, state: RolloutState) -> Step:
    """The target serves the run's model."""
    done = replace(state, phase=RolloutPhase.DONE)
    return done, Finish(replace(_result(done, rollout), deployed=True, reason="", failure_kind=None))


def ended(rollout: Rollout, state: RolloutState) -> Step:
    """It ended before the target was told anything."""
    return state, Finish(replace(_result(state, rollout), touched=False))


def returned(rollout: Rollout, state: RolloutState) -> Step:
    """The target serves again what it did before."""
    return state, Finish(_result(state, rollout))


def left(rollout: Rollout, state: RolloutState, serving: Serving | None, trouble: str = "") -> Step:
    """The target was not seen to serve what it did before."""
    live = serving.live.run_id if serving is not None and serving.live is not None else None
    what = f": {trouble}" if trouble else ""
    reason = f"{state.reason}; target {rollout.target} was not seen to serve what it did before{what}; {BY_ITSELF}"
    result = replace(_result(state, rollout), reason=reason, restored=False, serves=live)
    return state, Finish(result)


def abandoned(rollout: Rollout, state: RolloutState, reason: str) -> Step:
    """Somebody else has ended the run; this roll-out changes nothing any more."""
    result = replace(_result(state, rollout), reason=reason, failure_kind=None, restored=False, serves=None)
    return state, Finish(result)


def has_told_nothing(state: RolloutState) -> bool:
    """Whether the target has been told nothing yet."""
    return state.phase in _UNTOUCHED


def seconds_since(moment: datetime | None, now: datetime) -> float:
    """How long ago; 0 when it has not been."""
    return 0.0 if moment is None else (now - moment).total_seconds()


def _result(state: RolloutState, rollout: Rollout) -> TargetResult:
    stable = stable_of(state.before)
    serves = stable.run_id if stable is not None else None
    done = state.phase is RolloutPhase.DONE
    return TargetResult(
        target=rollout.target,
        deployed=False,
        reason=state.reason,
        endpoint=state.endpoint if done or stable is not None else None,
        failure_kind=state.failure_kind,
        phase=state.left or state.phase,
        canary=state.canary,
        approval=state.approval,
        serves=rollout.run_id if done else serves,
        before=serves,
    )
