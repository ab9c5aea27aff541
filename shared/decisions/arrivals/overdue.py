"""Whether data are overdue, and since when. Pure: everything follows from the history and the clock.

A period's data are overdue when its deadline has passed and too few files came since it began: what comes late counts
for the period that waits. A gap lasts from the first period that stayed empty until data come, also when the forecast
has got used to their absence meanwhile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shared.decisions.arrivals.day_counts import HISTORY, QUARTER, History
from shared.decisions.arrivals.expected_periods import Periods
from shared.decisions.arrivals.local_days import ONE_DAY, day_of, start_of
from shared.decisions.arrivals.rests import last_end
from shared.messages import Basis, Every, Expectation, Expecting, Gap, Period, Rest

_AHEAD = 8  # days, which have at least one period of every kind
_NEAR = 2  # days after today; the reconciler looks again before they are over
_LOOKED_AT_AFTER = timedelta(days=1)
"""Everything is looked at so often at least: a forecast changes with each day."""


def expectation(
    expecting: Expecting, history: History, now: datetime, *, since: datetime | None, rests: Sequence[Rest] = ()
) -> Expectation:
    """What is expected now.

    ``since``: when the pipeline was first watched, which matters before its first file. ``rests``: when nobody waited
    for its data; after one, what is expected begins anew.
    """
    zone, now = expecting.zone, now.astimezone(UTC)
    today = day_of(now, zone)
    periods = Periods(expecting, history, rests)
    known = last_end(rests) or begins(history, since)
    current = periods.at(now)
    forecast = periods.forecast(today) if expecting.every is None else None
    gap, newest = _overdue(late_periods(periods, known, now, zone), history, now)
    return Expectation(
        basis=_basis(expecting, periods, today),
        zone=zone,
        today=current,
        arrived=history.files(current.start if current else start_of(today, zone), now + QUARTER),
        samples=forecast.samples if forecast else 0,
        first=history.first,
        again=last_end(rests),
        gap=gap,
        next_at=_next_at(periods, now, expecting),
        near=_near(periods, newest, today) if expecting.every is None else (),
    )


def basis_of(expecting: Expecting, history: History, now: datetime, *, rests: Sequence[Rest] = ()) -> Basis:
    """What an expectation of that moment rests on."""
    return _basis(expecting, Periods(expecting, history, rests), day_of(now, expecting.zone))


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
    expecting: Expecting,
    history: History,
    now: datetime,
    *,
    since: datetime | None,
    rests: Sequence[Rest] = (),
    days: int,
) -> list[CalendarDay]:
    """The last days until today, the oldest first, judged by what is expected now.

    A day is missing when the deadline of a period of it has passed and too little came in it; what came late on the
    day counts.
    """
    zone, now = expecting.zone, now.astimezone(UTC)
    today = day_of(now, zone)
    periods, known = Periods(expecting, history, rests), begins(history, since)
    came = periods.arrivals
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


def _overdue(late: Iterator[Period], history: History, now: datetime) -> tuple[Gap | None, Period | None]:
    """The gap that lasts now, and its newest period; ``late``: whose deadlines have passed, the newest first."""
    newest = begun = next(late, None)
    if begun is None or history.files(begun.start, now + QUARTER) >= begun.files:
        return None, None
    missed = 1
    for each in late:
        if history.files(each.start, begun.start) >= each.files:
            break
        begun, missed = each, missed + 1
    return Gap(start=begun.start, by=begun.by, since=begun.deadline, files=begun.files, missed=missed), newest


def _near(periods: Periods, overdue: Period | None, today: date) -> tuple[Period, ...]:
    before = (overdue,) if overdue is not None and overdue.day < today else ()
    return (*before, *periods.between(today, today + _NEAR * ONE_DAY))


def late_periods(periods: Periods, known: datetime | None, now: datetime, zone: str) -> Iterator[Period]:
    """Every period from then on whose deadline has passed, the newest first."""
    if known is None:
        return
    today = day_of(now, zone)
    for number in range(min(HISTORY.days, (today - day_of(known, zone)).days) + 1):
        of_the_day = [each for each in periods.of(today - number * ONE_DAY) if known <= each.start]
        yield from (each for each in reversed(of_the_day) if each.deadline <= now)


def _next_at(periods: Periods, now: datetime, expecting: Expecting) -> datetime:
    """The next deadline; that of an earlier day may still be to come, by the time of grace."""
    today = day_of(now, expecting.zone)
    first = today - ONE_DAY - _whole_days(expecting.grace)
    coming = (each.deadline for each in periods.between(first, today + _AHEAD * ONE_DAY) if each.deadline > now)
    return min(now + _LOOKED_AT_AFTER, next(coming, now + _LOOKED_AT_AFTER))  # later days have later deadlines


def _whole_days(length: timedelta) -> timedelta:
    return -(-length // ONE_DAY) * ONE_DAY


def _basis(expecting: Expecting, periods: Periods, today: date) -> Basis:
    if expecting.every is Every.NONE:
        return Basis.OFF
    if expecting.every is not None:
        return Basis.FILE
    return Basis.TOO_NEW if periods.is_too_new(today) else Basis.FORECAST
