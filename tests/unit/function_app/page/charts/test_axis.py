import math
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.page.charts.axis import axis, finite, number_text
from tests.support.page_words import EnglishWords

TIMES = "\u00d7"
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MOST = 5


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_ticks_are_few_even_and_around_every_number(numbers: list[float]) -> None:
    found = axis(numbers, MOST)

    steps = {later - earlier for earlier, later in pairwise(found.ticks)}
    assert 2 <= len(found.ticks) <= MOST + 2
    assert len(steps) == 1
    assert steps.pop().normalize().as_tuple().digits in {(1,), (2,), (5,)}
    assert all(found.holds(number) for number in numbers)


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_labels_are_short_and_tell_ticks_apart(numbers: list[float]) -> None:
    labels = axis(numbers, MOST).labels(EnglishWords())

    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 10


@given(st.lists(FINITE, min_size=2, max_size=20))
def test_places_are_on_the_scale_and_in_the_order_of_the_numbers(numbers: list[float]) -> None:
    found = axis(numbers, MOST)

    shares = [found.share(number) for number in sorted(numbers)]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize(
    ("numbers", "ticks"),
    [
        ([0.81, 0.93], "0.80 0.82 0.84 0.86 0.88 0.90 0.92 0.94"),
        ([0.0, 1.0], "0 0.2 0.4 0.6 0.8 1"),
        ([-3.0, 12.0], "-5 0 5 10 15"),
        ([], "0 0.2 0.4 0.6 0.8 1"),
        ([0.0, 0.0], "0 0.2 0.4 0.6 0.8 1"),
        ([100.0], "94 96 98 100 102 104 106"),
    ],
)
def test_a_scale_has_the_ticks_that_a_person_would_choose(numbers: list[float], ticks: str) -> None:
    found = axis(numbers).ticks

    wanted = tuple(map(Decimal, ticks.split()))
    assert found == wanted or (found[0] <= wanted[0] and found[-1] >= wanted[-1] and len(found) <= len(wanted))


@pytest.mark.parametrize(
    ("numbers", "power"),
    [
        ([0.1, 0.9], ""),
        ([2e6, 9e6], TIMES + "10⁶"),
        ([1e300, -1e300], TIMES + "10³⁰⁰"),
        ([1e-9, 3e-9], TIMES + "10⁻⁹"),
        ([5e-324], TIMES + "10⁻³²⁴"),
    ],
)
def test_very_large_and_very_small_numbers_leave_their_power_to_the_axis(numbers: list[float], power: str) -> None:
    assert axis(numbers).power == power


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, 10**400])
def test_what_is_no_number_for_a_chart_is_none(value: float | None) -> None:
    assert finite(value) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.9132, "0.9132"),
        (-12.5, "-12.5"),
        (1.7e308, "1.7 " + TIMES + "10³⁰⁸"),
        (5e-324, "5 " + TIMES + "10⁻³²⁴"),
        (1234.5, "1,234.5"),
    ],
)
def test_a_number_of_any_size_is_said_by_a_few_digits(value: float, text: str) -> None:
    assert number_text(value, EnglishWords()) == text
