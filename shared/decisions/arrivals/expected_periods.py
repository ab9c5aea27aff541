"""The periods in which data are expected, by the pipeline's file or by the forecast. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property

from shared.decisions.arrivals.day_counts import HISTORY, DayArrivals, History
from shared.decisions.arrivals.forecast import Forecast, forecast_for, is_too_new
from shared.decisions.arrivals.local_days import ONE_DAY, day_of, hours_of, moment_of, start_of
from shared.decisions.arrivals.rests import is_expected_through
from shared.messages import Every, Expecting, Period, Rest

_SATURDAY = 5


class Periods:
    """Makes the periods of days; what is forecast for a day rests on the days before it.

    ``rests``: when nobody waited for data. Nothing is expected in them, and no forecast rests on their days.
    """

    def __init__(self, expecting: Expecting, history: History, rests: Sequence[Rest] = ()) -> None:
        self._expecting = expecting
        self._zone = expecting.zone
        self._rests = rests
        self._history = history
        self._first = day_of(history.first, self._zone) if history.first else None

    @cached_property
    def arrivals(self) -> dict[date, DayArrivals]:
        """What came on each local day."""
        return self._history.days(self._zone)

    @cached_property
    def _rested(self) -> frozenset[date]:
        return frozenset(_days_of(self._rests, self._zone))

    def forecast(self, day: date) -> Forecast | None:
        """The forecast for a day."""
        return forecast_for(day, self.arrivals, self._first, self._rested)

    def is_too_new(self, day: date) -> bool:
        """Whether there is too little history before that day for a forecast."""
        return is_too_new(day, self._first, self._rested)

    def between(self, first: date, last: date) -> Iterator[Period]:
        """The periods that a calendar shows from ``first`` until ``last``, in order."""
        for number in range((last - first).days + 1):
            yield from self.of(first + number * ONE_DAY)

    def of(self, day: date) -> Iterator[Period]:
        """The periods that a calendar shows on a day; none when nothing is expected."""
        if not self._rests:
            return self._usual(day)
        return (period for period in self._usual(day) if is_expected_through(period, self._rests))

    def at(self, moment: datetime) -> Period | None:
        """The period of a moment; of a week also one that a calendar shows on another day."""
        day, beside = day_of(moment, self._zone), 6 if self._expecting.every is Every.WEEK else 0
        near = self.between(day - beside * ONE_DAY, day + beside * ONE_DAY)
        return next((each for each in near if each.start <= moment < each.end), None)

    def _usual(self, day: date) -> Iterator[Period]:
        """The same without a look at rests."""
        match self._expecting.every:
            case Every.NONE:
                return
            case None:
                yield from self._forecast(day)
            case Every.HOUR:
                for start, end in hours_of(day, self._zone):
                    yield self._period(day, start, end, end)
            case Every.WEEK:
                if day.weekday() == self._expecting.on:
                    yield self._week(day)
            case Every.DAY | Every.WEEKDAY:
                if self._expecting.every is Every.DAY or day.weekday() < _SATURDAY:
                    yield self._day(day)

    def _day(self, day: date) -> Period:
        start, end = start_of(day, self._zone), start_of(day + ONE_DAY, self._zone)
        return self._period(day, start, end, self._by(day, end))

    def _week(self, day: date) -> Period:
        monday = day - day.weekday() * ONE_DAY
        start, end = start_of(monday, self._zone), start_of(monday + 7 * ONE_DAY, self._zone)
        return self._period(day, start, end, self._by(day, start_of(day + ONE_DAY, self._zone)))

    def _by(self, day: date, otherwise: datetime) -> datetime:
        at = self._expecting.by
        return moment_of(day, at, self._zone) if at is not None else otherwise

    def _period(self, day: date, start: datetime, end: datetime, by: datetime) -> Period:
        files = self._expecting.files
        deadline = by + self._expecting.grace
        return Period(
            day=day, start=start, end=end, by=by, deadline=deadline, files=files, usual=files, least=files, most=None
        )

    def _forecast(self, day: date) -> Iterator[Period]:
        found = self.forecast(day)
        if found is None:
            return
        start, end = start_of(day, self._zone), start_of(day + ONE_DAY, self._zone)
        by = min(end, _at_minute(day, found.by_minute, self._zone))
        yield Period(
            day=day,
            start=start,
            end=end,
            by=by,
            deadline=by + self._expecting.grace,
            usual=found.files,
            least=found.least,
            most=found.most,
        )


def _days_of(rests: Sequence[Rest], zone: str) -> Iterator[date]:
    """The days that a rest has a part of."""
    for rest in rests:
        first, last = day_of(rest.since, zone), day_of(rest.until or rest.since + HISTORY, zone)
        yield from (first + number * ONE_DAY for number in range((last - first).days + 1))


def _at_minute(day: date, minute: int, zone: str) -> datetime:
    later, within = divmod(minute, 24 * 60)
    return moment_of(day + timedelta(days=later), time(within // 60, within % 60), zone)
