"""What a roll-out under way shows of itself. Pure."""

from datetime import datetime, timedelta
from typing import Any

from shared.decisions.delivery.approvals import deadline_of
from shared.decisions.delivery.canary import e_value
from shared.decisions.delivery.roll_out_events import Action, Apply, Look
from shared.messages import CanaryStep, Rollout, RolloutPhase, RolloutState

_DOING = {
    RolloutPhase.APPROVAL: "waiting for somebody to approve",
    RolloutPhase.LOOKING: "looking at what serves now",
    RolloutPhase.CANDIDATE: "waiting for the new model's container to become healthy",
    RolloutPhase.SWITCHING: "switching traffic",
    RolloutPhase.WATCHING: "watching the new model",
    RolloutPhase.RETURNING: "going back to what served before",
    RolloutPhase.DONE: "done",
}


def progress_of(rollout: Rollout, state: RolloutState, action: Action, now: datetime) -> dict[str, Any]:
    """Plain JSON for the custom status: phase, what is done in words, and the numbers of a canary or an approval."""
    phase = state.phase or RolloutPhase.LOOKING
    shown: dict[str, Any] = {"target": rollout.target, "phase": phase.value, "doing": _doing(rollout, state, action)}
    if state.before is not None and state.before.releases:
        shown["before"] = state.before.releases[0].run_id
    if phase is RolloutPhase.APPROVAL:
        shown["decide_until"] = deadline_of(rollout, state, now).isoformat()
    if phase is RolloutPhase.CANARY:
        shown |= _canary(rollout, state)
    if state.reason:
        shown["reason"] = state.reason
    if isinstance(action, Look) and action.after > 0:
        shown["next_look_at"] = (now + timedelta(seconds=action.after)).isoformat()
    return shown


def _doing(rollout: Rollout, state: RolloutState, action: Action) -> str:
    if state.phase is RolloutPhase.CANDIDATE and isinstance(action, Apply):
        return "starting the candidate"
    if state.phase is RolloutPhase.CANARY:
        return f"canary with {rollout.strategy.steps[state.step]} % of the traffic"
    return _DOING[state.phase or RolloutPhase.LOOKING]


def _canary(rollout: Rollout, state: RolloutState) -> dict[str, Any]:
    evidence = state.evidence
    return {
        "weight": rollout.strategy.steps[state.step],
        "step": state.step + 1,
        "steps": len(rollout.strategy.steps),
        "requests": evidence.step_candidate.requests,
        "errors": evidence.step_candidate.errors,
        "stable_requests": evidence.step_stable.requests,
        "stable_errors": evidence.step_stable.errors,
        "evidence": round(min(e_value(evidence), 1e6), 2),
        "ended": [_ended(step) for step in state.canary],
    }


def _ended(step: CanaryStep) -> dict[str, Any]:
    return {
        "weight": step.weight,
        "verdict": step.verdict.value,
        "requests": step.requests,
        "errors": step.errors,
        "stable_requests": step.stable_requests,
        "stable_errors": step.stable_errors,
        "evidence": step.evidence,
    }
