"""When a window of arrivals closes. Pure: time is a value."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.messages import WindowState


@dataclass(frozen=True, slots=True)
class Close:
    """Close the window now; ``reason`` says what ended it."""

    reason: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Look again at ``until``."""

    until: datetime


def next_step(state: WindowState, now: datetime) -> Close | WaitUntil:
    """Close after the quiet period, or after the longest wait; otherwise when to look again, always after ``now``.

    Closing too early only makes a second window, since the listing decides what is trained on. So a window that seems
    to come from the future (the clock was set back) is closed rather than waited for.
    """
    longest = timedelta(seconds=state.longest_wait_seconds)
    quiet = timedelta(seconds=state.quiet_seconds)
    if state.opened_at - now > longest:
        return Close("the clock was set back")
    if now >= state.opened_at + longest:
        return Close(f"it was open for {state.longest_wait_seconds:g} s, the longest wait")
    if now >= state.last_arrival_at + quiet:
        return Close(f"nothing arrived for {state.quiet_seconds:g} s")
    return WaitUntil(min(state.last_arrival_at + quiet, state.opened_at + longest))
