from datetime import timedelta

import pytest

from shared.decisions.arrivals.duplicates import duplicate_reason


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (3, "seen 3 s earlier"),
        (1.9, "seen 1 s earlier"),
        (119, "seen 119 s earlier"),
        (121, "seen 2 min earlier"),
        (3 * 3600 + 5, "seen 3 h earlier"),
        (2 * 86_400, "seen 2 days earlier"),
        (0.2, "seen at the same moment"),
        (-5, "seen at the same moment"),
    ],
)
def test_a_duplicate_says_how_long_ago_the_first_was_seen(seconds: float, says: str) -> None:
    assert duplicate_reason(timedelta(seconds=seconds)) == f"duplicate of an event {says}"
