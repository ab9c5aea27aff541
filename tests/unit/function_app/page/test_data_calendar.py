"""The calendar of the API as a chart."""

from datetime import UTC, date, datetime, timedelta

from function_app.api.expected_models import Calendar, CalendarDayView
from function_app.page.screens.data_calendar import calendar_chart
from function_app.page.texts import Words
from shared.messages import Basis
from tests.support.svg_reading import Picture

TODAY = date(2026, 11, 29)
WORDS = Words("en", UTC, datetime(2026, 11, 29, 9, tzinfo=UTC))


def a_day(
    ago: int, files: int = 0, expected: int | None = None, *, missing: bool = False, awaited: bool = False
) -> CalendarDayView:
    day = TODAY - timedelta(days=ago)
    return CalendarDayView(day=day, files=files, expected=expected, missing=missing, awaited=awaited)


def a_calendar(*days: CalendarDayView) -> Calendar:
    """These days, and all others of a year without anything."""
    known = {each.day: each for each in days}
    year = (a_day(ago) for ago in range(370, -1, -1))
    shown = tuple(known.get(each.day, each) for each in year)
    return Calendar(pipeline="p", zone="UTC", basis=Basis.FILE, complete=True, days=shown)


def cells(*days: CalendarDayView) -> list[str]:
    """What the table says of the days before today, today first."""
    chart = calendar_chart(a_calendar(*days), WORDS)
    assert chart is not None
    return [cell for row in chart.table.rows for cell in reversed(row.cells[1:])]


def test_days_are_missed_due_or_as_they_should_be() -> None:
    found = cells(a_day(0, expected=2, awaited=True), a_day(1, expected=1, missing=True), a_day(2, 3, 1), a_day(3, 1))

    assert found[:5] == ["0 ○", "0 ✕", "3", "1", "0"]


def test_a_day_is_due_while_not_everything_has_come_and_nothing_is_missed() -> None:
    assert cells(a_day(0, 1, 3, awaited=True))[0] == "1 ○"
    assert cells(a_day(0, 1, 2, missing=True, awaited=True))[0] == "1 ✕"
    assert cells(a_day(0, 2, 2))[0] == "2"
    assert cells(a_day(1, 0, 2, awaited=True))[1] == "0 ○", "grace may be longer than a day"


def test_without_anything_there_is_no_chart() -> None:
    assert calendar_chart(a_calendar(), WORDS) is None


def test_it_begins_with_the_first_day_of_which_something_is_known_at_least_twelve_weeks_ago() -> None:
    short, long = (calendar_chart(a_calendar(a_day(ago, 1)), WORDS) for ago in (3, 200))

    assert short is not None
    assert long is not None
    assert "6 Sept to 29 Nov" in Picture(short).description
    assert "13 May to 29 Nov" in Picture(long).description
