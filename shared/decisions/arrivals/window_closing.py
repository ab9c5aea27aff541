"""When a window of arrivals closes. Pure: time is a value."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.messages import WindowState

_SOONEST = timedelta(seconds=1)
_LATEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Close:
    """Close the window now; ``reason`` says what ended it."""

    reason: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Look again at ``until``, or earlier when told that the done-marker has arrived."""

    until: datetime


def next_step(state: WindowState, now: datetime) -> Close | WaitUntil:
    """Close at the longest wait, or with the minimum met on the done-marker or after the quiet period.

    Otherwise when to look again, always after ``now``. Closing too early only makes a second window, since the listing
    decides what is trained on. So a window that seems to come from the future (the clock was set back) is closed rather
    than waited for.
    """
    longest = timedelta(seconds=state.longest_wait_seconds)
    quiet_at = state.last_arrival_at + timedelta(seconds=state.quiet_seconds)
    if state.opened_at - now > longest:
        return Close("the clock was set back")
    if now >= state.opened_at + longest:
        return Close(f"it was open for {state.longest_wait_seconds:g} s, the longest wait")
    if minimum_is_met(state):
        if state.marked:
            return Close("the done-marker is there" + _with(state))
        if now >= quiet_at:
            return Close(f"nothing arrived for {state.quiet_seconds:g} s" + _with(state))
    look_at = quiet_at if now < quiet_at else now + _pause(state, now)
    return WaitUntil(min(look_at, state.opened_at + longest))


def minimum_is_met(state: WindowState) -> bool:
    """Whether enough has arrived. None asked is met; of files and bytes, either suffices."""
    asked = [(state.arrivals, state.least_files), (state.size, state.least_bytes)]
    wanted = [(there, least) for there, least in asked if least is not None]
    return not wanted or any(there >= least for there, least in wanted)


def _with(state: WindowState) -> str:
    if state.least_files is None and state.least_bytes is None:
        return ""
    return f", with {state.arrivals} files of {state.size} bytes"


def _pause(state: WindowState, now: datetime) -> timedelta:
    """Quiet, but too little is there: the longer that lasts, the more rarely it is looked at."""
    quiet = timedelta(seconds=state.quiet_seconds)
    return max(_SOONEST, quiet, min((now - state.opened_at) / 8, _LATEST))
