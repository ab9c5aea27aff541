"""Which file somebody may mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.explanations.near_names import near_names

NAMES = ["landing/march.csv", "landing/April.csv", "landing/march.csv", "other/may 1.csv"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("march", ["landing/march.csv"]),
        ("april.CSV", ["landing/April.csv"]),
        ("landing/", ["landing/march.csv", "landing/April.csv"]),
        ("https://x.blob.core.windows.net/data/other/may%201.csv", ["other/may 1.csv"]),
        (r"other\may 1.csv", ["other/may 1.csv"]),
        ("mrach.csv", ["landing/march.csv"]),
        ("landing/aprl.csv", ["landing/April.csv", "landing/march.csv"]),
        ("nothing of the kind", []),
        ("  ", ["landing/march.csv", "landing/April.csv", "other/may 1.csv"]),
    ],
)
def test_names_that_may_be_meant(text: str, meant: list[str]) -> None:
    assert near_names(text, NAMES, most=5) == meant


@given(st.text(max_size=1024), st.lists(st.text(min_size=1, max_size=40), max_size=20), st.integers(0, 5))
def test_whatever_is_typed_some_of_the_names_come_back(text: str, names: list[str], most: int) -> None:
    found = near_names(text, names, most=max(1, most))

    assert set(found) <= set(names)
    assert len(found) == len(set(found)) <= max(1, most)
