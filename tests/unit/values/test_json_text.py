"""JSON from outside: what is taken, and what is refused with where and why."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.json_text import MOST_DEPTH, NotJsonError, read_json


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (b"", "", "it is empty"),
        (b" \r\n\t", "", "it is empty"),
        (b"\xef\xbb\xbf", "", "it is empty"),
        (b"{", "", "line 1 column 2"),
        (b"{} {}", "", "Extra data"),
        ('{"a": 1}'.encode("utf-16"), "", "it is in UTF-16; send UTF-8"),
        ('{"a": 1}'.encode("utf-16-be"), "", "it is in UTF-16 or UTF-32; send UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "", "it is in UTF-16 or UTF-32; send UTF-8"),
        ('{"a": 1}'.encode("utf-32"), "", "it is in UTF-32; send UTF-8"),
        ('{"a": "\xe4"}'.encode("latin-1"), "", "byte 8 is not UTF-8"),
        (b'{"a": 1, "b": 2, "a": 3}', "a", "the field a stands in it twice"),
        (b'{"p": {"a": 1, "a": 1}}', "a", "the field a stands in it twice"),
        (b'{"\\u001b[2J": 1, "\\u001b[2J": 1}', r"'\x1b[2J'", "stands in it twice"),
        (b'{"a": NaN}', "a", "a must be a finite number"),
        (b'{"a": [-Infinity]}', "a", "a must be a finite number"),
        (b"NaN", "", "the number must be a finite number"),
        (b'{"a": {"b": 1e999}}', "a.b", "a.b must be a finite number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "", "a number has 5000 digits"),
        (b"[" * 100_000, "", "nested deeper than 100 levels"),
        (b"[" * 200 + b"]" * 200, "", "nested deeper than 100 levels"),
        (b'{"a": {"b": "\\ud800"}}', "a.b", "a.b holds half a character"),
        (b'{"a": {"\\udfff": 1}}', "a", "holds half a character"),
    ],
)
def test_what_other_readers_could_read_otherwise_is_refused_and_located(body: bytes, field: str, says: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        read_json(body)

    assert says in str(caught.value)
    assert caught.value.field == field
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_of_utf_8_changes_nothing(mark: bytes) -> None:
    assert read_json(mark + '{"a": ["\xe4", 1, 1.5, true, null]}'.encode()) == {"a": ["\xe4", 1, 1.5, True, None]}


def test_the_deepest_that_is_taken() -> None:
    assert read_json("[" * MOST_DEPTH + "]" * MOST_DEPTH) is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_what_is_json_to_everyone_is_read_as_it_is(document: object) -> None:
    assert read_json(json.dumps(document)) == document
    assert read_json(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_anything_is_read_or_refused(body: bytes | str) -> None:
    try:
        read = read_json(body)
    except NotJsonError as error:
        text = str(error)
    else:
        text = json.dumps(read, allow_nan=False)
    assert text.encode()
