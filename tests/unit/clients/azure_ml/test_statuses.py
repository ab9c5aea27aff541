import math

import pytest

from shared.clients.azure_ml.statuses import error_of, finite_metrics


def test_only_finite_numbers_are_metrics() -> None:
    logged = {
        "loss": [0.5, 0.25],
        "rows": 350,
        "nan": math.nan,
        "inf": math.inf,
        "flag": True,
        "text": "0.9",
        "table": {"a": [1]},
        "empty": [],
        "broken": [0.5, math.nan],
        "huge": 10**400,
    }

    assert finite_metrics(logged) == {"loss": 0.25, "rows": 350.0}


@pytest.mark.parametrize(
    ("error", "found"),
    [
        ({"error": {"code": "UserError", "message": "exit status 1"}}, ("UserError", "exit status 1")),
        ({"message": "flat"}, ("", "flat")),
        ({"error": None}, ("", "")),
        ({}, ("", "")),
        (None, ("", "")),
        ("text", ("", "")),
    ],
)
def test_code_and_text_of_an_error_record_are_found_wherever_they_are(error: object, found: tuple[str, str]) -> None:
    assert error_of(error) == found
