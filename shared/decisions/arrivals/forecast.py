"""A seasonal forecast of a pipeline's arrivals, from its own history: what usually comes on that day of the week. Pure.

A day is compared with the same days of the weeks before it, twelve at the most, so that a changed habit is followed
within weeks. Medians and quantiles are not moved by a burst, a holiday or a gap. Where data come irregularly, nothing
is expected.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from shared.decisions.arrivals.day_counts import DayArrivals

SAMPLES = 12
"""Earlier weeks that a day is compared with, at the most."""
LEAST_WEEKS = 4
"""With fewer there is no forecast."""
_REGULAR = 0.8  # of these days had data, or that day of the week is none on which data are expected
_LOW, _HIGH = 0.1, 0.9
_WHOLE_DAY = 24 * 60
_BEFORE = tuple(timedelta(weeks=week) for week in range(1, SAMPLES + 1))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What usually comes on a day: the median of files with bounds, and by which minute of the day the first is there.

    ``samples``: how many earlier days it rests on.
    """

    files: int
    least: int
    most: int
    by_minute: int
    samples: int


def is_too_new(day: date, first: date | None, rested: Collection[date] = frozenset()) -> bool:
    """Whether the history before a day, which began on ``first``, is too short for a forecast."""
    return len(_compared(day, first, rested)) < LEAST_WEEKS


def forecast_for(
    day: date, days: Mapping[date, DayArrivals], first: date | None, rested: Collection[date] = frozenset()
) -> Forecast | None:
    """What is expected on a day, by the days before it; None when nothing regularly comes on that day of the week.

    ``days``: those on which something came. ``first``: the first of them. ``rested``: those that say nothing, because
    nobody waited for data.
    """
    known = _compared(day, first, rested)
    if len(known) < LEAST_WEEKS:
        return None
    came = [days[each] for each in known if each in days]
    if len(came) < _REGULAR * len(known):
        return None
    files = sorted([days[each].files if each in days else 0 for each in known])
    return Forecast(
        files=max(1, quantile(files, 0.5)),
        least=max(1, quantile(files, _LOW)),
        most=quantile(files, _HIGH),
        by_minute=min(_WHOLE_DAY, quantile(sorted([each.first for each in came]), _HIGH) + 15),
        samples=len(known),
    )


def _compared(day: date, first: date | None, rested: Collection[date]) -> list[date]:
    """The days that a day is compared with."""
    if first is None:
        return []
    return [each for weeks in _BEFORE if (each := day - weeks) >= first and each not in rested]


def quantile(ordered: Sequence[int], part: float) -> int:
    """One of the values, which are in order: the smallest that at least this part of them does not exceed."""
    rank = -int(-part * len(ordered) // 1)  # rounded up
    return ordered[max(0, min(len(ordered), rank) - 1)]
