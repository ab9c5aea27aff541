"""The times in which nobody waits for a pipeline's data: it was retired, or had no file. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.decisions.arrivals.day_counts import HISTORY
from shared.messages import Period, Rest, Watch

_MOST = 50


def is_resting(watch: Watch) -> bool:
    """Whether nobody waits for its data, as far as is known."""
    return any(rest.until is None for rest in watch.rests)


def is_forgotten(watch: Watch, now: datetime) -> bool:
    """Whether nobody has waited for so long that nothing is counted any more of the time before."""
    return any(rest.until is None and rest.since < now - HISTORY for rest in watch.rests)


def rests_of(watch: Watch | None, *, resting_since: datetime | None, now: datetime) -> tuple[Rest, ...]:
    """The rests up to now. ``resting_since``: None while the data are waited for."""
    known = watch.rests if watch else ()
    if resting_since is None:
        return tuple(replace(rest, until=now) if rest.until is None else rest for rest in known)
    if any(rest.until is None for rest in known):
        return known
    counted = [rest for rest in known if rest.until is not None and rest.until > now - HISTORY]
    return (*counted[1 - _MOST :], Rest(since=resting_since))


def last_end(rests: Iterable[Rest]) -> datetime | None:
    """Since when the data are waited for again."""
    return max((rest.until for rest in rests if rest.until is not None), default=None)


def is_expected_through(period: Period, rests: Sequence[Rest]) -> bool:
    """Whether the data of a period were waited for from its beginning until its deadline."""
    return not any(period.deadline > rest.since and (rest.until is None or period.start < rest.until) for rest in rests)
