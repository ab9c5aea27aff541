"""The calendar of the API as a chart."""

from datetime import UTC, date, datetime, timedelta

from function_app.api.expected_models import Calendar, CalendarDayView
from function_app.page.screens.data_calendar import calendar_chart
from function_app.page.texts import Words
from shared.messages import Basis
from tests.support.svg_reading import Picture

TODAY = date(2026, 11, 29)
WORDS = Words("en", UTC, datetime(2026, 11, 29, 9, tzinfo=UTC))
MISSED, DUE = "expected and did not come", "expected, may still come"


def a_day(ago: int, files: int = 0, expected: int | None = None, *, missing: bool = False) -> CalendarDayView:
    return CalendarDayView(day=TODAY - timedelta(days=ago), files=files, expected=expected, missing=missing)


def a_calendar(*days: CalendarDayView) -> Calendar:
    """These days, and all others of a year without anything."""
    known = {each.day: each for each in days}
    year = (a_day(ago) for ago in range(370, -1, -1))
    shown = tuple(known.get(each.day, each) for each in year)
    return Calendar(pipeline="p", zone="UTC", basis=Basis.FILE, complete=True, days=shown)


def rows(*days: CalendarDayView) -> list[tuple[str, ...]]:
    chart = calendar_chart(a_calendar(*days), WORDS)
    assert chart is not None
    return [row.cells for row in chart.table.rows]


def test_days_are_missed_due_or_as_they_should_be() -> None:
    found = rows(a_day(0, expected=2), a_day(1, expected=1, missing=True), a_day(2, 3, 1), a_day(3, 1))

    assert found == [("29 Nov", "0", DUE), ("28 Nov", "0", MISSED), ("27 Nov", "3", ""), ("26 Nov", "1", "")]


def test_today_is_due_only_while_nothing_has_come_and_it_is_not_too_late() -> None:
    assert rows(a_day(0, 1, 2)) == [("29 Nov", "1", "")]
    assert rows(a_day(0, 0, 2, missing=True)) == [("29 Nov", "0", MISSED)]
    assert rows(a_day(1, 0, 2), a_day(0, 1))[1:] == [], "a day whose deadline is still to come is not due today"


def test_without_anything_there_is_no_chart() -> None:
    assert calendar_chart(a_calendar(), WORDS) is None


def test_it_begins_with_the_first_day_of_which_something_is_known_at_least_twelve_weeks_ago() -> None:
    short, long = (calendar_chart(a_calendar(a_day(ago, 1)), WORDS) for ago in (3, 200))

    assert short is not None
    assert long is not None
    assert "6 Sept to 29 Nov" in Picture(short).description
    assert "13 May to 29 Nov" in Picture(long).description
