import re
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.page.charts import ArrivalsCalendar, Chart, Day, Expectation, arrivals_calendar
from function_app.page.charts.arrivals_calendar import STEPS, step_of, upper_bounds
from function_app.page.charts.frame import WIDTH
from tests.support.page_words import EnglishWords
from tests.support.svg_reading import Picture

SUNDAY = date(2026, 11, 29)
STEP_KINDS = tuple(f"c-step-{step}" for step in range(STEPS + 1))


def chart_of(days: Sequence[Day]) -> Chart:
    return arrivals_calendar(ArrivalsCalendar(days=days), EnglishWords(), "days")


def the_last(count: int, files: int) -> list[Day]:
    return [Day(day=SUNDAY - timedelta(days=back), files=files) for back in range(count)]


def squares(picture: Picture) -> list[tuple[float, float]]:
    """Where the days are: the middle of each."""
    squares = [square for kind in STEP_KINDS for square in picture.parts(kind)]
    found = (re.findall(r"[\d.]+", square.get("d") or "") for square in squares)
    return [(float(x), float(y)) for x, y, _ in found]


def test_without_days_the_chart_says_so() -> None:
    chart = chart_of([])

    assert "No arrivals yet" in Picture(chart).texts()
    assert chart.table.rows == ()


def test_each_day_says_how_many_files_arrived() -> None:
    picture = Picture(chart_of([Day(day=SUNDAY, files=3), Day(day=SUNDAY - timedelta(days=1))]))

    assert sorted(picture.tips()) == ["28 Nov: 0", "29 Nov: 3"]


def test_what_did_not_come_and_what_is_due_have_signs_and_words() -> None:
    days = [
        Day(day=SUNDAY, expectation=Expectation.DUE),
        Day(day=SUNDAY - timedelta(days=1), expectation=Expectation.MISSED),
        Day(day=SUNDAY - timedelta(days=2), files=2),
    ]

    chart = chart_of(days)

    picture = Picture(chart)
    signed = {group.get("marker-start"): len(group) for group in picture.all("g")}
    assert signed["url(#c-days-missed)"] == signed["url(#c-days-due)"] == 1
    assert picture.legend() == ["1", "2", "expected and did not come", "expected, may still come"]
    assert {"29 Nov: 0 ○", "28 Nov: 0 ✕"} <= set(picture.tips())
    assert "1 day without what was expected." in picture.description
    assert [row.cells for row in chart.table.rows] == [("23 Nov", "", "", "", "", "2", "0 ✕", "0 ○")]


def test_the_table_has_a_row_for_each_week_the_newest_first() -> None:
    table = chart_of(the_last(371, 1)).table

    assert table.columns == ("Week of", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    assert len(table.rows) == 53
    assert [row.key for row in table.rows[:2]] == ["2026-11-23", "2026-11-16"]
    assert all(row.cells[1:] == ("1",) * 7 for row in table.rows)


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (8, 8), (27 * 7, 27 * 7), (53 * 7, 53 * 7), (400, 53 * 7)])
def test_days_have_a_place_of_their_own_each(count: int, shown: int) -> None:
    places = squares(Picture(chart_of(the_last(count, 1))))

    assert len(places) == shown
    assert len(set(places)) == shown
    assert all(0 <= x <= WIDTH for x, _ in places)


def test_a_year_is_two_bands_whose_days_are_large_enough_for_a_phone() -> None:
    places = squares(Picture(chart_of(the_last(53 * 7, 1))))

    columns = sorted({x for x, _ in places})
    assert len(columns) == 27
    assert min(later - earlier for earlier, later in pairwise(columns)) * 288 / WIDTH >= 9


def test_more_files_make_larger_squares() -> None:
    counts = (1, 20, 100, 1_000, 10_000)
    picture = Picture(chart_of([Day(day=SUNDAY - timedelta(days=back), files=n) for back, n in enumerate(counts)]))

    sizes = [float(group.get("stroke-width", 0)) for kind in STEP_KINDS[1:] for group in picture.of(kind)]
    assert len(sizes) == STEPS
    assert sizes == sorted(set(sizes))


@given(st.integers(1, 10**9), st.lists(st.integers(0, 10**9), max_size=20))
def test_steps_are_at_most_five_and_never_smaller_for_more_files(most: int, others: list[int]) -> None:
    bounds = upper_bounds(most)
    counts = sorted(min(each, most) for each in [*others, most])

    steps = [step_of(count, bounds) for count in counts]
    assert len(bounds) < STEPS
    assert list(bounds) == sorted(set(bounds))
    assert steps == sorted(steps)
    assert steps[-1] == STEPS
    assert all((count == 0) == (step == 0) for count, step in zip(counts, steps, strict=True))


@pytest.mark.parametrize("first", [date.min, date(2024, 2, 29), date.max - timedelta(days=7)])
def test_any_day_of_the_calendar_can_be_shown(first: date) -> None:
    assert len(squares(Picture(chart_of([Day(day=first + timedelta(days=each)) for each in range(7)])))) == 7
