import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.clients.ledger.keys import digest, end_of, newest_first

moments = st.datetimes(timezones=st.just(UTC))


@given(moments, moments)
def test_later_moments_sort_first(one: datetime, other: datetime) -> None:
    assert (newest_first(one) < newest_first(other)) == (one > other)
    assert len(newest_first(one)) == len(newest_first(other))


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_a_digest_is_safe_and_tells_lists_apart(one: list[str], other: list[str]) -> None:
    assert re.fullmatch("[0-9a-f]{32}", digest(*one))
    assert (digest(*one) == digest(*other)) == (one == other)


@given(st.text("abc-", min_size=1, max_size=5), st.text("abc-", max_size=5))
def test_a_range_holds_exactly_what_starts_with_the_prefix(prefix: str, key: str) -> None:
    assert (prefix <= key < end_of(prefix)) == key.startswith(prefix)
