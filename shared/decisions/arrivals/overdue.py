"""Whether data are overdue, and since when. Pure: everything follows from the history and the clock.

A period's data are overdue when its deadline has passed and too few files came since it began: what comes late counts
for the period that waits. A gap lasts from the first period that stayed empty until data come, also when the forecast
has got used to their absence meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shared.decisions.arrivals.day_counts import HISTORY, QUARTER, History
from shared.decisions.arrivals.expected_periods import Periods
from shared.decisions.arrivals.forecast import is_too_new
from shared.decisions.arrivals.local_days import ONE_DAY, day_of, start_of
from shared.messages import Basis, Every, Expectation, Expecting, Gap, Period

_AHEAD = 8  # days, which have at least one period of every kind
_LOOKED_AT_AFTER = timedelta(days=1)
"""Everything is looked at so often at least: a forecast changes with each day."""


def expectation(expecting: Expecting, history: History, now: datetime, *, since: datetime | None) -> Expectation:
    """What is expected now. ``since``: when the pipeline was first watched, which matters before its first file."""
    zone, now = expecting.zone, now.astimezone(UTC)
    today = day_of(now, zone)
    periods = Periods(expecting, history)
    known = begins(history, since)
    late = [each for each in _since(periods, known, today, zone) if each.deadline <= now]
    current = _current(periods, today, now)
    forecast = periods.forecast(today) if expecting.every is None else None
    waiting = today - ONE_DAY - _whole_days(expecting.grace)  # the deadline of that day may still be to come
    upcoming = [each.deadline for each in periods.between(waiting, today + _AHEAD * ONE_DAY)]
    return Expectation(
        basis=_basis(expecting, history, today),
        zone=zone,
        today=current,
        arrived=history.files(current.start if current else start_of(today, zone), now + QUARTER),
        samples=forecast.samples if forecast else 0,
        first=history.first,
        gap=gap_of(late, history, now),
        next_at=min([now + _LOOKED_AT_AFTER, *(each for each in upcoming if each > now)]),
    )


def gap_of(late: Sequence[Period], history: History, now: datetime) -> Gap | None:
    """The gap that lasts now; ``late``: the periods whose deadlines have passed, in order."""
    if not late or history.files(late[-1].start, now + QUARTER) >= late[-1].files:
        return None
    first = len(late) - 1
    while first and history.files(late[first - 1].start, late[first].start) < late[first - 1].files:
        first -= 1
    begun = late[first]
    return Gap(start=begun.start, by=begun.by, since=begun.deadline, files=begun.files, missed=len(late) - first)


def begins(history: History, since: datetime | None) -> datetime | None:
    """Nothing is expected of the time before; None when nothing is known of the pipeline."""
    return min((each for each in (history.first, since) if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A local day: files that came; how many were expected, None for none; whether what was expected is missing.

    ``awaited``: not all that was expected has come, and it is not too late.
    """

    day: date
    files: int
    expected: int | None
    missing: bool
    awaited: bool


def calendar(
    expecting: Expecting, history: History, now: datetime, *, since: datetime | None, days: int
) -> list[CalendarDay]:
    """The last days until today, the oldest first, judged by what is expected now.

    A day is missing when the deadline of a period of it has passed and too little came in it; what came late on the
    day counts.
    """
    zone, now = expecting.zone, now.astimezone(UTC)
    today = day_of(now, zone)
    periods, came, known = Periods(expecting, history), history.days(zone), begins(history, since)
    shown = []
    for number in range(min(days, HISTORY.days) - 1, -1, -1):
        day = today - number * ONE_DAY
        expected = [each for each in periods.of(day) if known is not None and known <= each.start]
        lacking = [each for each in expected if history.files(each.start, each.end) < each.files]
        shown.append(
            CalendarDay(
                day=day,
                files=came[day].files if day in came else 0,
                expected=sum(each.usual for each in expected) if expected else None,
                missing=any(each.deadline <= now for each in lacking),
                awaited=any(each.deadline > now for each in lacking),
            )
        )
    return shown


def _since(periods: Periods, known: datetime | None, today: date, zone: str) -> list[Period]:
    """Every period from then until today."""
    if known is None:
        return []
    first = max(today - HISTORY.days * ONE_DAY, day_of(known, zone))
    return [each for each in periods.between(first, today) if known <= each.start]


def _current(periods: Periods, today: date, now: datetime) -> Period | None:
    """The period of this moment; of a week also one that a calendar shows on another day."""
    week = periods.between(today - 6 * ONE_DAY, today + 6 * ONE_DAY)
    return next((each for each in week if each.start <= now < each.end), None)


def _whole_days(length: timedelta) -> timedelta:
    return -(-length // ONE_DAY) * ONE_DAY


def _basis(expecting: Expecting, history: History, today: date) -> Basis:
    if expecting.every is Every.NONE:
        return Basis.OFF
    if expecting.every is not None:
        return Basis.FILE
    first = day_of(history.first, expecting.zone) if history.first else None
    return Basis.TOO_NEW if is_too_new(today, first) else Basis.FORECAST
