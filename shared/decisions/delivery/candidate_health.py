"""Whether a candidate's ill health is the end of its roll-out, and what is said of it. Pure."""

from dataclasses import replace
from datetime import datetime

from shared.decisions.delivery.roll_out_ends import seconds_since
from shared.messages import ObservedRelease, ReleaseState, Rollout, RolloutState

PULL_SECONDS = 1800.0
"""How long an image may take to arrive."""
ILL_SECONDS = 10.0
"""How long a release with traffic may be ill before it loses it; a single look may be a busy machine's."""
DISTURBED_SECONDS = 180.0
"""The same when the stable release is ill too, as after a reboot: then it is not the candidate's fault."""


def with_health(state: RolloutState, own: ObservedRelease | None, now: datetime) -> RolloutState:
    """The state after a look at the candidate: its time to become healthy begins when its image is there."""
    if not state.taken or (own is not None and own.state is ReleaseState.PULLING):
        return state
    return replace(state, started_at=state.started_at or now)


def is_late(rollout: Rollout, state: RolloutState, own: ObservedRelease | None, now: datetime) -> bool:
    """Whether a candidate without traffic has had its time to become healthy, or cannot become so."""
    if own is not None and own.final:
        return True
    if seconds_since(state.started_at, now) >= rollout.health_seconds:
        return True
    return seconds_since(state.since, now) >= rollout.health_seconds + PULL_SECONDS


def is_ill_for_good(own: ObservedRelease | None, state: RolloutState, now: datetime, *, alone: bool) -> bool:
    """Whether a release with traffic has been ill for too long. ``alone``: the stable one is not ill."""
    if state.ill_since is None:
        return False
    if own is not None and own.final:
        return True
    return seconds_since(state.ill_since, now) >= (ILL_SECONDS if alone else DISTURBED_SECONDS)


def not_healthy(rollout: Rollout, own: ObservedRelease | None) -> str:
    """Why the candidate goes back."""
    if own is not None and own.trouble:
        return own.trouble
    how = {
        None: "is not there",
        ReleaseState.GONE: "is not there",
        ReleaseState.PULLING: "has not arrived",
        ReleaseState.STARTING: "is still starting",
    }.get(own.state if own is not None else None, "is not healthy")
    return f"the new model's container on target {rollout.target} {how} after its time to become healthy"
