"""The days on which data came, and those on which they were expected, as a chart. Pure."""

from datetime import timedelta
from typing import Final

from function_app.api.expected_models import Calendar, CalendarDayView
from function_app.page.charts import ArrivalsCalendar, Chart, Day, Expectation, arrivals_calendar
from function_app.page.texts import Words

LEAST_DAYS: Final = timedelta(weeks=12)
"""So long the chart is at least; before that it begins with the first day of which something is known."""


def calendar_chart(found: Calendar, words: Words) -> Chart | None:
    """The chart; None while nothing has come and nothing is expected."""
    known = [each.day for each in found.days if each.files or each.expected is not None]
    if not known:
        return None
    first = min(known[0], found.days[-1].day - LEAST_DAYS)
    days = [
        Day(day=each.day, files=each.files, expectation=_expectation(each)) for each in found.days if each.day >= first
    ]
    return arrivals_calendar(ArrivalsCalendar(days=days), words, "calendar")


def _expectation(day: CalendarDayView) -> Expectation:
    if day.missing:
        return Expectation.MISSED
    return Expectation.DUE if day.awaited else Expectation.NONE
