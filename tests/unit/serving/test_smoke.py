import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.smoke import SmokeSample, difference, parse_smoke

NUMBERS = st.integers(-1000, 1000) | st.floats(-1000, 1000)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_a_sample() -> None:
    sample = parse_smoke('{"request": {"data": [1]}, "response": [0.5], "tolerance": 1e-6, "later": 1}')
    assert sample == SmokeSample(request={"data": [1]}, response=[0.5], tolerance=1e-6)
    assert parse_smoke('{"request": 1, "response": null}').tolerance == 0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"request": 1}',
        '{"request": 1, "response": 1, "tolerance": -1}',
        '{"request": 1, "response": 1, "tolerance": true}',
        '{"request": 1, "response": 1, "tolerance": NaN}',
        '{"request": 1, "response": 1, "tolerance": Infinity}',
        '{"request": 1, "response": 1, "tolerance": "0"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_sample_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|Expecting|nested"):
        parse_smoke(text)


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        (1, 1.0, None),
        ([0.5], [0.5 + 1e-7], None),
        (1e9, 1e9 + 1, None),
        ([0.5], [0.51], "response[0] is 0.51 instead of 0.5"),
        ({"p": [1, [2]]}, {"p": [1, [3]]}, "response.p[1][0] is 3 instead of 2"),
        ([1], [1, 2], "response has 2 elements instead of 1"),
        ({"a": 1}, {"b": 1}, 'response has the fields ["b"] instead of ["a"]'),
        (1, True, "response is true instead of 1"),
        (False, 0, "response is 0 instead of false"),
        ("a", "b", 'response is "b" instead of "a"'),
        (1, None, "response is null instead of 1"),
        ("x" * 200, None, f'response is null instead of "{"x" * 76}...'),
        (1.0, math.nan, "response is nan instead of 1.0"),
    ],
)
def test_differences(expected: Any, actual: Any, found: str | None) -> None:
    assert difference(expected, actual, tolerance=1e-6) == found


def test_numbers_of_any_size_are_compared() -> None:
    assert difference(10**400, 10**400, tolerance=1e-6) is None
    assert difference(1.0, 10**400, tolerance=1e-6) is not None


@given(VALUES)
def test_every_value_agrees_with_itself_also_over_json(value: Any) -> None:
    assert difference(value, json.loads(json.dumps(value)), tolerance=0.0) is None


@given(VALUES, VALUES)
def test_difference_is_symmetric(one: Any, two: Any) -> None:
    assert (difference(one, two, tolerance=1e-3) is None) == (difference(two, one, tolerance=1e-3) is None)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=5), st.data())
def test_one_number_that_is_off_is_found(values: list[float], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    changed = [*values]
    changed[index] += 100
    found = difference({"v": values}, {"v": changed}, tolerance=1e-6)
    assert found is not None
    assert found.startswith(f"response.v[{index}] is ")
