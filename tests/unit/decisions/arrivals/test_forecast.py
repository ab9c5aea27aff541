"""The forecast, by habits that are made up: what it expects, and that nothing unusual moves it."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.arrivals.day_counts import DayArrivals, History
from shared.decisions.arrivals.forecast import LEAST_WEEKS, SAMPLES, forecast_for, quantile
from shared.decisions.arrivals.overdue import calendar, expectation
from shared.messages import Basis, Expecting
from tests.support.examples import examples

TODAY = date(2026, 11, 30)  # a Monday
DAYS = st.integers(1, 7 * SAMPLES)
WEEKDAYS = st.sets(st.integers(0, 6), min_size=1)


def _habit(
    *, weeks: int = 53, weekdays: Collection[int] = range(7), files: int = 3, at: int = 360
) -> dict[date, DayArrivals]:
    """So many files on these days of the week until yesterday, the first at this minute."""
    days = [TODAY - timedelta(days=number) for number in range(1, 7 * weeks + 1)]
    return {day: DayArrivals(files, at) for day in days if day.weekday() in weekdays}


def _moments(days: Mapping[date, DayArrivals]) -> dict[datetime, int]:
    return {
        datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=found.first): found.files
        for day, found in days.items()
    }


@given(weekdays=WEEKDAYS, files=st.integers(1, 1000), at=st.integers(0, 95).map(lambda quarter: quarter * 15))
def test_a_habit_is_expected_on_its_days_and_no_other(weekdays: set[int], files: int, at: int) -> None:
    days = _habit(weekdays=weekdays, files=files, at=at)
    for number in range(7):
        day = TODAY + timedelta(days=number)
        found = forecast_for(day, days, min(days))
        assert (found is not None) == (day.weekday() in weekdays)
        if found is not None and day == TODAY:
            assert (found.files, found.least, found.most, found.by_minute) == (files, files, files, at + 15)
            assert found.samples == SAMPLES


@given(unusual=st.integers(1, SAMPLES), burst=st.integers(1, 10**6), late=st.integers(0, 1439))
def test_one_burst_or_one_late_day_moves_nothing(unusual: int, burst: int, late: int) -> None:
    days = _habit()
    usual = forecast_for(TODAY, days, min(days))
    days[TODAY - timedelta(weeks=unusual)] = DayArrivals(burst, late)
    assert forecast_for(TODAY, days, min(days)) == usual is not None


@given(holidays=st.sets(st.integers(1, SAMPLES), max_size=2))
def test_two_holidays_of_twelve_days_move_nothing(holidays: set[int]) -> None:
    days = _habit()
    for week in holidays:
        del days[TODAY - timedelta(weeks=week)]
    found = forecast_for(TODAY, days, min(days))
    assert found is not None
    assert (found.files, found.by_minute) == (3, 375)


@given(came=st.sets(st.integers(1, SAMPLES), max_size=9))
def test_what_comes_irregularly_is_not_expected(came: set[int]) -> None:
    days = {TODAY - timedelta(weeks=week): DayArrivals(1, 0) for week in came}
    assert forecast_for(TODAY, days, TODAY - timedelta(weeks=53)) is None


@given(weeks=st.integers(0, LEAST_WEEKS - 1), more=st.integers(0, 6))
def test_a_new_pipeline_has_no_forecast_and_nothing_is_overdue(weeks: int, more: int) -> None:
    first = TODAY - timedelta(weeks=weeks, days=more)
    days = {first + timedelta(days=number): DayArrivals(1, 0) for number in range((TODAY - first).days)}
    assert forecast_for(TODAY, days, min(days, default=None)) is None
    found = expectation(Expecting(), History(_moments(days)), datetime(2026, 11, 30, 23, tzinfo=UTC), since=None)
    assert (found.basis, found.today, found.gap) == (Basis.TOO_NEW, None, None)


@examples(15, deadline=None)
@given(missed=st.integers(1, 330), hour=st.integers(0, 23))
def test_a_gap_lasts_from_its_first_day_until_data_come(missed: int, hour: int) -> None:
    kept = {day: found for day, found in _habit().items() if day < TODAY - timedelta(days=missed)}
    now = datetime(2026, 11, 30, hour, 30, tzinfo=UTC)

    found = expectation(Expecting(), History(_moments(kept)), now, since=None)

    first = datetime(2026, 11, 30, 7, 15, tzinfo=UTC) - timedelta(days=missed)  # 06:00, a quarter, an hour of grace
    assert found.gap is not None
    assert found.gap.since == first
    came = History(_moments(kept) | {now.replace(minute=15): 1})
    assert expectation(Expecting(), came, now, since=None).gap is None


@examples(15, deadline=None)
@given(late=st.lists(st.integers(-2, 2), min_size=100, max_size=100), minutes=st.integers(0, 1439))
def test_a_habit_that_is_kept_is_never_overdue(late: list[int], minutes: int) -> None:
    """Half an hour around noon, every day."""
    days = {TODAY - timedelta(days=number): DayArrivals(1, 720 + 15 * by) for number, by in enumerate(late)}
    now = datetime(2026, 11, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    history = History({moment: files for moment, files in _moments(days).items() if moment <= now})
    assert expectation(Expecting(), history, now, since=None).gap is None


@given(days=st.sets(DAYS, min_size=1), other=st.sets(st.integers(0, 300)))
def test_a_forecast_rests_on_the_days_before_it(days: set[int], other: set[int]) -> None:
    before = {TODAY - timedelta(days=number): DayArrivals(number, 0) for number in days}
    later = {TODAY + timedelta(days=number): DayArrivals(9, 0) for number in other}
    assert forecast_for(TODAY, before, min(before)) == forecast_for(TODAY, before | later, min(before))


@given(values=st.lists(st.integers(0, 100), min_size=1), part=st.floats(0, 1))
def test_a_quantile_is_one_of_the_values(values: list[int], part: float) -> None:
    found = quantile(sorted(values), part)
    assert found in values
    assert sum(value <= found for value in values) >= part * len(values) - 1e-9


@pytest.mark.parametrize("values", [[1, 2, 3], [1, 2, 3, 4]])
def test_a_median(values: list[int]) -> None:
    assert quantile(values, 0.5) == 2


def test_a_calendar_shows_what_stayed_away_and_forgives_what_was_never_usual() -> None:
    days = _habit(weekdays=range(5))
    friday, saturday = date(2026, 11, 27), date(2026, 11, 28)
    del days[friday]

    now = datetime(2026, 11, 30, 5, tzinfo=UTC)
    shown = calendar(Expecting(), History(_moments(days)), now, since=None, days=371)

    by_day = {each.day: each for each in shown}
    assert len(shown) == 371
    assert (by_day[friday].expected, by_day[friday].missing, by_day[friday].files) == (3, True, 0)
    assert (by_day[saturday].expected, by_day[saturday].missing) == (None, False)
    assert [each.day for each in shown if each.missing] == [friday]
    assert (by_day[TODAY].expected, by_day[TODAY].missing) == (3, False)  # it is not late yet
    assert shown[0].expected is None  # there was no history before it
