"""One step of a roll-out's canary: what to count, when to look again, and when it is over. Pure."""

from dataclasses import replace
from datetime import datetime

from shared.decisions.delivery.canary import (
    against,
    at_the_end_of_a_step,
    counted_since,
    recorded,
    with_block,
)
from shared.decisions.delivery.plans import stable_of
from shared.decisions.delivery.roll_out_ends import seconds_since
from shared.messages import (
    CanaryVerdict,
    FailureKind,
    ObservedRelease,
    Reading,
    Rollout,
    RolloutState,
    Serving,
    Tally,
)

LOOKS = 4
"""In each step of a canary."""
WATCH_EVERY = 30.0
"""Seconds between the looks at a release that has all of the traffic; the last one is when its time is over."""
SELDOM, OFTEN = 300.0, 1.0  # seconds between looks


def begun(state: RolloutState, serving: Serving) -> RolloutState:
    """The state at the beginning of a step: counting starts from what the counters say now."""
    evidence = replace(state.evidence, step_stable=Tally(), step_candidate=Tally())
    return replace(state, evidence=evidence, readings=_readings(serving))


def counted(rollout: Rollout, state: RolloutState, serving: Serving) -> RolloutState:
    """The state with what both sides have answered since the look before."""
    stable = stable_of(state.before)
    ours, theirs = serving.release(stable.run_id) if stable else None, serving.release(rollout.run_id)
    evidence = with_block(
        state.evidence,
        _since(state, ours),
        _since(state, theirs),
        stable_latency_ms=ours.latency_ms if ours else None,
        latency_ms=theirs.latency_ms if theirs else None,
    )
    return replace(state, evidence=evidence, readings=_readings(serving))


def verdict(rollout: Rollout, state: RolloutState, now: datetime) -> CanaryVerdict | None:
    """What the step showed; None while it goes on."""
    if is_over(state, rollout.strategy.soak_seconds, now):
        return at_the_end_of_a_step(state.evidence, rollout.strategy.least_requests)
    return against(state.evidence)


def with_verdict(rollout: Rollout, state: RolloutState, found: CanaryVerdict, now: datetime) -> RolloutState:
    """The state with the step in its record."""
    step = recorded(state.evidence, rollout.strategy.steps[state.step], found, now)
    return replace(state, canary=(*state.canary, step))


def is_over(state: RolloutState, seconds: float, now: datetime) -> bool:
    """Whether the plan has been running for so long."""
    return seconds_since(state.settled_at, now) >= seconds


def next_look(state: RolloutState, seconds: float, now: datetime, *, every: float | None = None) -> float:
    """Seconds until the next look during ``seconds`` in all."""
    left = seconds - seconds_since(state.settled_at, now)
    return max(min(max(OFTEN, every or seconds / LOOKS), SELDOM, left), 0.2)


def kind_of(found: CanaryVerdict) -> FailureKind:
    """Whose matter a step's verdict is: errors are the model's, which the same data and code would make again."""
    failing = found in {CanaryVerdict.MORE_ERRORS, CanaryVerdict.FAILING}
    return FailureKind.CODE if failing else FailureKind.UNKNOWN


def _readings(serving: Serving) -> tuple[Reading, ...]:
    return tuple(
        Reading(run_id=release.run_id, counted=Tally(requests=release.requests, errors=release.errors))
        for release in serving.releases
    )


def _since(state: RolloutState, release: ObservedRelease | None) -> Tally:
    if release is None:
        return Tally()
    now = Tally(requests=release.requests, errors=release.errors)
    before = next((each.counted for each in state.readings if each.run_id == release.run_id), None)
    return counted_since(before, now) if before is not None else Tally()
