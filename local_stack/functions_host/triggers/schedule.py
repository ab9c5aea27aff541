"""NCRONTAB expressions, the timer trigger's calendar.

Six fields ``second minute hour day month weekday``, or five without the second, which is then 0. Each is ``*``, a
value, a range ``a-b`` or a list of those, with an optional step ``/n``. Months and weekdays may be named (``Jan``,
``Mon``); Sunday is 0. Unlike in Unix cron a day must fit **both** the day and the weekday field (NCrontab's rule).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

_MONTH_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_WEEKDAY_NAMES: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAYS: Final = {name: number for number, name in enumerate(_WEEKDAY_NAMES)}
# 29 February falls on a given weekday once in 28 years; around a century without a leap day it can take 40.
_HORIZON: Final = timedelta(days=366 * 41)


class ScheduleError(Exception):
    """The expression is not NCRONTAB, or no moment ever fits it."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: Mapping[str, int]


_FIELDS: Final = (
    _Field("second", 0, 59, {}),
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 6, _WEEKDAYS),
)


class Schedule:
    """A parsed expression. Raises :class:`ScheduleError`."""

    def __init__(self, expression: str) -> None:
        parts = expression.split()
        if len(parts) == len(_FIELDS) - 1:
            parts.insert(0, "0")
        if len(parts) != len(_FIELDS):
            raise ScheduleError(f"a schedule has five or six fields: {expression!r}")
        values = [_parse(part, field) for part, field in zip(parts, _FIELDS, strict=True)]
        self._seconds, self._minutes, self._hours = (sorted(allowed) for allowed in values[:3])
        self._days, self._months, self._weekdays = values[3:]
        self._expression = expression

    def next_after(self, moment: datetime) -> datetime:
        """The first fitting moment strictly later than ``moment``, to the second, in its time zone.

        Raises :class:`ScheduleError` when there is none, as for 30 February.
        """
        earliest = moment.replace(microsecond=0) + timedelta(seconds=1)
        day, not_before = earliest.date(), earliest.time()
        last = day + _HORIZON
        while day <= last:
            if day.month in self._months and day.day in self._days and day.isoweekday() % 7 in self._weekdays:
                found = self._first_time(not_before)
                if found is not None:
                    return datetime.combine(day, found, moment.tzinfo)
            day, not_before = day + timedelta(days=1), time()
        raise ScheduleError(f"no moment fits the schedule {self._expression!r}")

    def runs_more_often_than(self, interval: timedelta, moment: datetime) -> bool:
        """Whether the next two runs after ``moment`` are closer together than ``interval``."""
        first = self.next_after(moment)
        return self.next_after(first) - first < interval

    def _first_time(self, not_before: time) -> time | None:
        for hour in self._hours:
            for minute in self._minutes:
                if (hour, minute) < (not_before.hour, not_before.minute):
                    continue
                for second in self._seconds:
                    found = time(hour, minute, second)
                    if found >= not_before:
                        return found
        return None


def _parse(text: str, field: _Field) -> frozenset[int]:
    return frozenset(value for item in text.split(",") for value in _parse_item(item, field))


def _parse_item(item: str, field: _Field) -> range:
    span, slash, step_text = item.partition("/")
    step = _number(step_text, field) if slash else 1
    if step < 1:
        raise ScheduleError(f"{field.name}: a step must be at least 1: {item!r}")
    if span == "*":
        return range(field.low, field.high + 1, step)
    start_text, dash, end_text = span.partition("-")
    start = _value(start_text, field)
    if dash:
        end = _value(end_text, field)
        if end < start:
            raise ScheduleError(f"{field.name}: a range must not run backwards: {item!r}")
    else:
        # "5/15" means every 15 from 5 on, and a plain "5" just itself.
        end = field.high if slash else start
    return range(start, end + 1, step)


def _value(text: str, field: _Field) -> int:
    # Full names are taken by their first three letters, as NCrontab does.
    value = field.words.get(text[:3].lower()) if text.isalpha() else _number(text, field)
    if value is None or not field.low <= value <= field.high:
        raise ScheduleError(f"{field.name}: {text!r} is not within {field.low}-{field.high}")
    return value


def _number(text: str, field: _Field) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ScheduleError(f"{field.name}: {text!r} is not a number")
    return int(text)
