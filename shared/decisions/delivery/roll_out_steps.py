"""The roll-out to one target as a state machine: state, what just happened, and the time -> state and what to do. Pure.

::

    approval -> looking -> candidate -> canary (each step) -> switching -> watching -> done
        |          |           |             |                   |            |
        v          v           +-------------+---------+---------+------------+
    not touched  not touched                           v
                                                   returning -> what served before

Level, not edge: a phase wants a plan; while the target does not run it, it is given to it again, based on what was seen
last. So a crash, a repeated call, a reboot and a lost answer are one case. In every plan the traffic is on the stable
release and at most one candidate. Every phase ends at a time, so the roll-out ends.

Going back is a plan like any other. When the target cannot be reached for it, the result says so; what served before
is the desired plan in the ledger by then, and the reconciler brings the target there.
"""

from dataclasses import replace
from datetime import datetime

from shared.decisions.delivery import approvals, canary_steps, plans
from shared.decisions.delivery.canary import in_words, is_failing
from shared.decisions.delivery.candidate_health import is_ill_for_good, is_late, not_healthy, with_health
from shared.decisions.delivery.roll_out_ends import (
    Step,
    abandoned,
    has_told_nothing,
    left,
    returned,
    seconds_since,
    succeeded,
)
from shared.decisions.delivery.roll_out_events import (
    Announced,
    Applied,
    Apply,
    Began,
    Decided,
    Event,
    Failed,
    Look,
    Looked,
    ReadDecision,
)
from shared.decisions.delivery.roll_out_moves import (
    ILL_LOOK,
    Moment,
    again_or_look,
    before_of,
    beside,
    delay,
    go_back,
    next_step,
    plan_of,
    switch,
    want,
)
from shared.errors import Code
from shared.messages import (
    CanaryVerdict,
    FailureKind,
    ReleaseState,
    Rollout,
    RolloutPhase,
    RolloutState,
    Serving,
    WithoutTraffic,
)

REACH_SECONDS = 180.0
"""How long a target may be away before anything was changed for clients; the stage is repeated later."""
AWAY_SECONDS = 600.0
"""How long a target may be away while the candidate gets traffic; to go back it would have to be reached as well."""
RETURN_SECONDS = 1800.0
"""How long going back is tried; longer than a call that hangs until the host ends it."""
SETTLE_SECONDS = 60.0
"""How long a target that is reached may take to move traffic."""
STABLE_ILL_SECONDS = 30.0
"""After which a stable release that is ill loses its traffic to a candidate that is healthy."""
MOST_STALE = 5
"""Plans in a row that come too late, because somebody else changes the target."""
HARD_LIMIT = 4 * 3600.0
"""The longest time of a phase, besides what the pipeline's file says, whatever happens in it."""
_TAKEN_AWAY = frozenset({Code.RUN_ENDED, Code.RUN_CANCELLED, Code.PIPELINE_RETIRED})
_AFTER_ERROR = 5.0  # seconds until the next look


def advance(rollout: Rollout, state: RolloutState, event: Event, now: datetime) -> Step:
    """What follows from an event: the new state, and what to do now."""
    match event:
        case Began():
            return _begin(rollout, state, now)
        case Decided():
            return approvals.after_reading(rollout, state, event, now)
        case Announced():
            return approvals.after_announcing(rollout, state, now)
        case Applied():
            return replace(state, taken=True, unreached_since=None), Look(delay(state))
        case Looked(serving):
            return _looked(Moment(rollout, now, serving), state, serving)
        case Failed():
            return _failed(Moment(rollout, now), state, event)


def _begin(rollout: Rollout, state: RolloutState, now: datetime) -> Step:
    if state.phase is None and rollout.approval is not None:
        return approvals.begun(state, now)
    if state.phase is RolloutPhase.APPROVAL:
        return state, ReadDecision()
    if state.phase is None:
        state = replace(state, phase=RolloutPhase.LOOKING, since=now)
    if state.phase is RolloutPhase.RETURNING and not state.taken:
        return state, Apply(plan_of(state))  # before anything may fail: what is desired must be what served before
    return state, Look(0)


def _failed(at: Moment, state: RolloutState, failed: Failed) -> Step:
    if failed.code in _TAKEN_AWAY:
        return abandoned(at.rollout, state, failed.reason)
    if state.phase is RolloutPhase.APPROVAL:
        return approvals.after_failing(at.rollout, state, failed, at.now)
    if failed.code is Code.STALE_PLAN:
        state = replace(state, stale=state.stale + 1, taken=False)
        if state.stale <= MOST_STALE:
            return state, Look(delay(state))
    elif failed.code is None:
        state = replace(state, unreached_since=state.unreached_since or at.now)
        if seconds_since(state.unreached_since, at.now) < _patience(state) and not _is_too_long(at, state):
            return state, Look(_AFTER_ERROR)
    if state.phase is RolloutPhase.RETURNING:
        return left(at.rollout, state, None, failed.reason)
    return go_back(at, state, failed.reason, failed.kind)


def _patience(state: RolloutState) -> float:
    early = has_told_nothing(state) or state.phase is RolloutPhase.CANDIDATE
    return REACH_SECONDS if early else AWAY_SECONDS


def _looked(at: Moment, state: RolloutState, serving: Serving) -> Step:
    state = replace(state, unreached_since=None, looks=state.looks + 1, endpoint=serving.endpoint or state.endpoint)
    if state.phase is RolloutPhase.RETURNING:
        return _returning(at, state, serving)
    if state.phase is RolloutPhase.LOOKING:
        return _found(at, state, serving)
    if _is_too_long(at, state):
        reason = f"the roll-out did not come to an end in its phase {state.phase}"
        return go_back(at, state, reason, FailureKind.UNKNOWN)
    if state.phase is RolloutPhase.CANDIDATE:
        return _candidate(at, state, serving)
    return _with_traffic(at, state, serving)


def _found(at: Moment, state: RolloutState, serving: Serving) -> Step:
    """What serves now is what a failure goes back to."""
    rollout = at.rollout
    before = plans.found(serving, run_id=rollout.run_id, champion=rollout.champion)
    stable, own = plans.stable_of(before), serving.release(rollout.run_id)
    state = replace(
        state,
        before=before,
        before_healthy=stable is None or at.is_healthy(stable.run_id),
        was_live=own is not None and own.weight > 0,
    )
    if own is not None and own.weight >= 100 - plans.TOLERANCE and own.image == rollout.image:
        return switch(at, state)
    return want(at, state, RolloutPhase.CANDIDATE, beside(rollout, state, 0))


def _candidate(at: Moment, state: RolloutState, serving: Serving) -> Step:
    """The candidate gets no traffic yet; wait until it is healthy."""
    if state.taken and at.is_healthy(at.rollout.run_id):
        return next_step(at, state)
    own = serving.release(at.rollout.run_id) if state.taken else None
    state = with_health(state, own, at.now)
    if is_late(at.rollout, state, own, at.now):
        return go_back(at, state, not_healthy(at.rollout, own), FailureKind.UNKNOWN)
    return again_or_look(at, state, missing=own is None or own.state is ReleaseState.GONE)


def _with_traffic(at: Moment, state: RolloutState, serving: Serving) -> Step:
    """The candidate gets traffic, or is about to: it goes back when it is ill, or the traffic does not follow."""
    own = serving.release(at.rollout.run_id)
    state = _with_illnesses(at, state)
    if is_ill_for_good(own, state, at.now, alone=state.stable_ill_since is None):
        return go_back(at, state, not_healthy(at.rollout, own), FailureKind.UNKNOWN)
    if state.ill_since is not None:
        return again_or_look(at, state, missing=state.stable_ill_since is not None, within=ILL_LOOK)
    if state.phase is RolloutPhase.CANARY and state.stable_ill_since is not None:
        return _without_stable(at, state)
    if not (state.taken and plans.runs(serving, plan_of(state))):
        return _not_settled(at, state)
    return _settled(at, state, serving)


def _without_stable(at: Moment, state: RolloutState) -> Step:
    """The stable release is ill in the middle of a canary: brought back, or else left for the candidate."""
    if seconds_since(state.stable_ill_since, at.now) >= STABLE_ILL_SECONDS:
        return switch(at, state)
    return again_or_look(at, state, missing=True)


def _not_settled(at: Moment, state: RolloutState) -> Step:
    state = replace(state, unsettled_since=state.unsettled_since or at.now)
    if seconds_since(state.unsettled_since, at.now) >= SETTLE_SECONDS:
        reason = f"target {at.rollout.target} did not move the traffic as planned within {SETTLE_SECONDS:g} s"
        return go_back(at, state, reason, FailureKind.OUTSIDE)
    return again_or_look(at, state, missing=True)


def _settled(at: Moment, state: RolloutState, serving: Serving) -> Step:
    state = replace(state, unsettled_since=None)
    if state.settled_at is None:
        state = canary_steps.begun(replace(state, settled_at=at.now), serving)
    else:
        state = canary_steps.counted(at.rollout, state, serving)
    return _canary(at, state) if state.phase is RolloutPhase.CANARY else _watching(at, state)


def _canary(at: Moment, state: RolloutState) -> Step:
    strategy = at.rollout.strategy
    found = canary_steps.verdict(at.rollout, state, at.now)
    if found is None:
        return state, Look(canary_steps.next_look(state, strategy.soak_seconds, at.now))
    state = canary_steps.with_verdict(at.rollout, state, found, at.now)
    too_few = found is CanaryVerdict.INCONCLUSIVE and strategy.without_traffic is WithoutTraffic.BACK
    if found.against or too_few:
        return go_back(at, state, in_words(state.canary[-1]), canary_steps.kind_of(found))
    return next_step(at, state)


def _watching(at: Moment, state: RolloutState) -> Step:
    """All traffic is the candidate's, and it is watched for a while."""
    seconds, answered = at.rollout.strategy.watch_seconds, state.evidence.step_candidate
    if is_failing(answered):
        reason = f"after the switch, {answered.errors} of {answered.requests} requests to the new model failed"
        return go_back(at, state, reason, FailureKind.UNKNOWN)
    if canary_steps.is_over(state, seconds, at.now):
        return succeeded(at.rollout, state)
    state = replace(state, phase=RolloutPhase.WATCHING)
    return state, Look(canary_steps.next_look(state, seconds, at.now, every=canary_steps.WATCH_EVERY))


def _returning(at: Moment, state: RolloutState, serving: Serving) -> Step:
    """Back to what served before, until the target was seen to."""
    stable = plans.stable_of(state.before)
    gone = not plans.is_there(serving, at.rollout.run_id)
    if state.taken and gone and _serves_as_before(at, state, serving):
        return returned(at.rollout, state)
    there = serving.release(stable.run_id) if stable is not None else None
    hopeless = state.taken and there is not None and there.final
    if hopeless or seconds_since(state.since, at.now) >= RETURN_SECONDS:
        return left(at.rollout, state, serving, there.trouble if there is not None else "")
    return again_or_look(at, state, missing=True)


def _serves_as_before(at: Moment, state: RolloutState, serving: Serving) -> bool:
    stable = plans.stable_of(state.before)
    if not state.before_healthy:  # it was ill before, and this roll-out has not made it better
        return True
    return plans.runs(serving, before_of(state)) and (stable is None or at.is_healthy(stable.run_id))


def _with_illnesses(at: Moment, state: RolloutState) -> RolloutState:
    stable = plans.stable_of(state.before)
    theirs = stable is None or at.is_healthy(stable.run_id)
    return replace(
        state,
        ill_since=None if at.is_healthy(at.rollout.run_id) else state.ill_since or at.now,
        stable_ill_since=None if theirs else state.stable_ill_since or at.now,
    )


def _is_too_long(at: Moment, state: RolloutState) -> bool:
    rollout, strategy = at.rollout, at.rollout.strategy
    longest = strategy.soak_seconds + strategy.watch_seconds + rollout.health_seconds + HARD_LIMIT
    return seconds_since(state.since, at.now) > longest
