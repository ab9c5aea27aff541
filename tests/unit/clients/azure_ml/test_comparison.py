import json

import pytest

from shared.clients.azure_ml.comparison import compared_in
from shared.messages import ChampionMeasurement, Comparison, McNemar

ASKED = ("log_loss",)


def test_only_what_is_asked_for_and_finite_counts() -> None:
    said = {"run_id": "r-1", "metrics": {"log_loss": 0.5, "accuracy": 0.9}, "trouble": ""}

    assert compared_in(json.dumps(said).encode(), "run", ASKED) == ChampionMeasurement(
        run_id="r-1", metrics={"log_loss": 0.5}
    )
    assert compared_in(b'{"run_id": "r-1", "metrics": {"log_loss": NaN}}', "run", ASKED) == ChampionMeasurement(
        run_id="r-1"
    )


def test_the_trouble_is_on_one_line_and_no_longer_than_it_may_be() -> None:
    said = {"run_id": "r-1", "metrics": {}, "trouble": "a\nb" + "x" * 5000}

    found = compared_in(json.dumps(said).encode(), "run", ASKED)

    assert found is not None
    assert found.trouble.startswith("a b")
    assert len(found.trouble) == 500


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"\xff", b'{"run_id": 1, "metrics": 3}', b"[" * 100_000, b'{"run_id": "r"}']
)
def test_what_is_not_understood_says_nothing(content: bytes) -> None:
    assert compared_in(content, "run", ASKED) is None


COMPARISON = {
    "rows": 114,
    "difference": -0.1,
    "low": -0.2,
    "high": 0.1,
    "level": 0.95,
    "resamples": 2000,
    "method": "bca",
    "mcnemar": {"only_champion_wrong": 3, "only_challenger_wrong": 1, "p": 0.6},
    "worst_slice": {"name": "n" * 500, "rows": 30, "difference": 0.2},
    "rows_needed": 500,
}


def comparison_in(value: object) -> Comparison | None:
    said = {"run_id": "r-1", "metrics": {"log_loss": 0.5}, "comparison": value}
    found = compared_in(json.dumps(said).encode(), "run", ASKED)
    assert found is not None
    assert found.metrics == {"log_loss": 0.5}, "the metrics count, whatever the comparison is"
    return found.comparison


def test_the_comparison_row_by_row_is_read() -> None:
    found = comparison_in(COMPARISON)

    assert found is not None
    assert (found.rows, found.low, found.high, found.rows_needed) == (114, -0.2, 0.1, 500)
    assert found.mcnemar == McNemar(only_champion_wrong=3, only_challenger_wrong=1, p=0.6)
    assert found.worst_slice is not None
    assert len(found.worst_slice.name) == 80


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        {},
        [],
        COMPARISON | {"low": float("nan")},
        COMPARISON | {"high": float("inf")},
        COMPARISON | {"low": 0.2},
        COMPARISON | {"rows": 0},
        COMPARISON | {"level": 95},
        COMPARISON | {"mcnemar": {"p": 1}},
        COMPARISON | {"worst_slice": {"name": "s", "rows": 3, "difference": float("nan")}},
    ],
)
def test_a_comparison_that_is_not_understood_says_nothing(value: object) -> None:
    assert comparison_in(value) is None
