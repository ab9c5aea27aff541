from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.read_ahead import ReadAhead, joined


@given(pieces=st.lists(st.binary(max_size=9)), least=st.integers(1, 20))
def test_pieces_are_joined_to_some_length_and_nothing_is_lost(pieces: list[bytes], least: int) -> None:
    found = list(joined(pieces, least))

    assert b"".join(found) == b"".join(pieces)
    assert all(least <= len(piece) < least + 9 for piece in found[:-1])
    assert b"" not in found


def test_one_piece_is_made_ahead_and_no_more() -> None:
    made: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(5):
            made.append(number)
            yield b"%d" % number

    with ReadAhead(pieces()) as ahead:
        assert next(iter(ahead)) == b"0"
    assert made == [0, 1]


def test_an_error_comes_where_its_piece_would_have_come() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise OSError("the file is gone")

    with ReadAhead(pieces()) as ahead:
        each = iter(ahead)
        assert next(each) == b"a"
        with pytest.raises(OSError, match="the file is gone"):
            next(each)
