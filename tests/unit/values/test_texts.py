import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.texts import LONGEST, shortened, without_queries


def test_a_short_text_stays_on_one_line() -> None:
    assert shortened("no route\n  to host") == "no route to host"


def test_a_long_text_keeps_its_ends() -> None:
    text = f"submit failed: {'https://azure.example/' * 50} (caused by: too many 500 error responses)"

    short = shortened(text)

    assert len(short) == LONGEST
    assert short.startswith("submit failed: ")
    assert short.endswith("(caused by: too many 500 error responses)")


@given(st.text(max_size=1500), st.integers(10, 600))
def test_no_text_gets_longer_than_asked(text: str, longest: int) -> None:
    assert len(shortened(text, longest)) <= longest


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "HTTPSConnectionPool(host='a'): Max retries exceeded with url: /c/b?sv=2019&sig=ab%2Bc%3D (Caused by X)",
            "HTTPSConnectionPool(host='a'): Max retries exceeded with url: /c/b?... (Caused by X)",
        ),
        ("'https://x.data.azurecr.io/b?d=1&s=secret&v=1'", "'https://x.data.azurecr.io/b?...'"),
        ("is it so? a=b", "is it so? a=b"),
    ],
)
def test_no_query_of_an_address_is_shown(text: str, shown: str) -> None:
    assert without_queries(text) == shown
