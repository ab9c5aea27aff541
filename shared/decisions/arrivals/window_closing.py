"""When a window of arrivals closes. Pure: time is a value."""

from datetime import datetime, timedelta

from shared.messages import WindowState

_SOONEST = timedelta(seconds=1)
_LATEST = timedelta(minutes=10)


def next_check_at(state: WindowState, now: datetime) -> datetime | None:
    """When to check the window again, always after ``now``; None to close it now.

    It closes at the longest wait, or, once the minimum is met, on the done-marker or after the quiet period. Closing
    too early only makes a second window, since the listing decides what is trained on. So a window with a time in the
    future (the clock was set back) is closed at once.
    """
    longest = timedelta(seconds=state.longest_wait_seconds)
    quiet_at = state.last_arrival_at + timedelta(seconds=state.quiet_seconds)
    if state.opened_at - now > longest or now >= state.opened_at + longest:
        return None
    if minimum_is_met(state) and (state.marked or now >= quiet_at):
        return None
    check_at = quiet_at if now < quiet_at else now + _pause(state, now)
    return min(check_at, state.opened_at + longest)


def minimum_is_met(state: WindowState) -> bool:
    """Whether enough has arrived. Always without a configured minimum; of files and bytes, either suffices."""
    asked = [(state.arrivals, state.least_files), (state.size, state.least_bytes)]
    wanted = [(there, least) for there, least in asked if least is not None]
    return not wanted or any(there >= least for there, least in wanted)


def _pause(state: WindowState, now: datetime) -> timedelta:
    """The pause while it is quiet but the minimum is not met; it grows with time."""
    quiet = timedelta(seconds=state.quiet_seconds)
    return max(_SOONEST, quiet, min((now - state.opened_at) / 8, _LATEST))
