"""When two clocks differ too much."""

from typing import Final

from shared.doctor import Seen, ok, wrong

MOST_SKEW: Final = 60.0


def judged_clock(skew: float, whose: str) -> Seen:
    """``skew``: seconds by which that clock is at least ahead of the app's, or behind when negative."""
    if abs(skew) < MOST_SKEW:
        return ok(f"{whose} and the app's agree")
    minutes, seconds = divmod(round(abs(skew)), 60)
    span = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return wrong(f"{whose} is {span} {'ahead of' if skew > 0 else 'behind'} the app's")
