"""The moves of a roll-out: into a phase with its plan, the same plan again, and back. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.decisions.delivery import plans
from shared.decisions.delivery.roll_out_ends import Step, ended, has_told_nothing, left
from shared.decisions.delivery.roll_out_events import Apply, Look
from shared.messages import FailureKind, Rollout, RolloutPhase, RolloutState, Serving, ServingPlan

APPLY_EVERY = 3
"""A plan that is not seen is given again at every third look."""
ILL_LOOK = 3.0
"""Seconds until a release that is ill, and gets traffic, is looked at again."""
_SOON, _LATEST, _GROWTH = 2.0, 10.0, 1.5  # seconds until the next look


@dataclass(frozen=True, slots=True)
class Moment:
    """What a move is decided by: the roll-out, the time, and what was seen of the target; None when it was not."""

    rollout: Rollout
    now: datetime
    serving: Serving | None = None

    def is_healthy(self, run_id: str) -> bool:
        """Whether a release was seen to be healthy."""
        return self.serving is not None and plans.is_healthy(self.serving, run_id)


def next_step(at: Moment, state: RolloutState) -> Step:
    """More traffic for a candidate that is healthy: the next step of its canary, or all of it.

    There is no canary beside a stable release that is not healthy: the candidate is better than nothing.
    """
    steps, done, stable = at.rollout.strategy.steps, len(state.canary), plans.stable_of(state.before)
    if done >= len(steps) or stable is None or not at.is_healthy(stable.run_id):
        return switch(at, state)
    return want(at, replace(state, step=done), RolloutPhase.CANARY, beside(at.rollout, state, steps[done]))


def switch(at: Moment, state: RolloutState) -> Step:
    """All traffic to the candidate; a stable release that is healthy stays beside it, so that going back is quick."""
    stable = plans.stable_of(state.before)
    if stable is not None and at.is_healthy(stable.run_id):
        plan = beside(at.rollout, state, 100)
    else:
        plan = plans.alone(before_of(state), plans.candidate_of(at.rollout, 100))
    return want(at, state, RolloutPhase.SWITCHING, plan)


def go_back(at: Moment, state: RolloutState, reason: str, kind: FailureKind | None) -> Step:
    """Return to what the target served before; nothing is to be done when it was told nothing yet."""
    state = replace(state, reason=reason, failure_kind=kind)
    if has_told_nothing(state):
        return ended(at.rollout, state)
    before = before_of(state)
    if state.was_live and not before.releases:  # there is nothing to go back to, and nothing serves without it
        return left(at.rollout, state, at.serving)
    return want(at, replace(state, left=state.phase), RolloutPhase.RETURNING, before)


def want(at: Moment, state: RolloutState, phase: RolloutPhase, plan: ServingPlan) -> Step:
    """Enter a phase: give the target its plan, based on what was seen last, so that it is refused when that changed."""
    state = replace(
        state,
        phase=phase,
        since=at.now,
        looks=0,
        plan=replace(plan, based_on=state.plan.based_on if state.plan is not None else plan.based_on),
        taken=False,
        settled_at=None,
        unsettled_since=None,
        started_at=None,
        ill_since=None,
        unreached_since=None,
        stale=0,
    )
    return _apply(state, at.serving)


def again_or_look(at: Moment, state: RolloutState, *, missing: bool, within: float = _LATEST) -> Step:
    """Give the target the plan again when it has not taken it, or shows nothing of it for a while; else wait."""
    if not state.taken or (missing and state.looks % APPLY_EVERY == 0):
        return _apply(state, at.serving)
    return state, Look(min(delay(state), within))


def delay(state: RolloutState) -> float:
    """Seconds until the next look: soon at first, then longer. Traffic follows at once, a container takes a while."""
    if state.looks == 0 and state.phase is not RolloutPhase.CANDIDATE:
        return 0.0
    return min(_LATEST, _SOON * _GROWTH ** min(state.looks, 10))


def beside(rollout: Rollout, state: RolloutState, weight: int) -> ServingPlan:
    """The candidate with a weight, beside what served before."""
    return plans.with_candidate(before_of(state), plans.candidate_of(rollout, weight))


def before_of(state: RolloutState) -> ServingPlan:
    """What the target served before."""
    if state.before is None:
        raise ValueError("the target was not looked at yet")
    return state.before


def plan_of(state: RolloutState) -> ServingPlan:
    """What is wanted of the target now."""
    if state.plan is None:
        raise ValueError("no plan is wanted yet")
    return state.plan


def _apply(state: RolloutState, serving: Serving | None) -> Step:
    plan = plan_of(state)
    if serving is not None:
        plan = replace(plan, based_on=serving.revision)
    return replace(state, plan=plan, taken=False), Apply(plan)
