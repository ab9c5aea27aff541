import json

import pytest

from shared.clients.azure_ml.comparison import compared_in
from shared.messages import ChampionMeasurement

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
