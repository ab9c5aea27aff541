from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.job_modules import common_modules

with common_modules("strict_csv") as (_module,):
    strict_csv: ModuleType = _module

SECRET = "8675309.125"  # stands for a value that must not travel


def read(text: str | bytes, *, chunk: int = 7) -> Any:
    data = text.encode() if isinstance(text, str) else text

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), chunk):
            yield data[start : start + chunk]

    return strict_csv.read_table("landing/a.csv", chunks(), features=("x", "y"), label="label", classes={0, 1})


def test_reads_the_wanted_columns_in_the_asked_order_whatever_their_order_in_the_file() -> None:
    table = read("label,z,y,x\n1,9,2.5,1\n0,9,-4,3e2\n")

    assert table.features.tolist() == [[1, 2.5], [300, -4]]
    assert table.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "text",
    ["x,y,label\r\n1,2,0\r\n", "\ufeffx,y,label\n1,2,0", 'x,y,label\n"1"," 2 ",0\n\n', "x, y ,label\n1,2,0.0\n"],
    ids=["windows", "byte order mark", "quoted and a blank line", "padded header"],
)
def test_reads_what_spreadsheets_write(text: str) -> None:
    assert read(text).features.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "landing/a.csv: the file is empty; it needs a header line"),
        ("x,y,label\n", "landing/a.csv: the file has a header, but no rows"),
        (f"{SECRET},2,0\n1,2,0\n", "landing/a.csv, line 1: the header lacks the column 'x' (and 2 more)"),
        ("x,label\n1,0\n", "landing/a.csv, line 1: the header lacks the column 'y'"),
        ("x,y,y,label\n1,2,2,0\n", "landing/a.csv, line 1: the header has the column 'y' more than once"),
        (f"x,y,label\n1,2,0\n1,{SECRET}\n", "landing/a.csv, line 3: 2 columns where the header has 3"),
        (f"x,y,label\n1,2,0\n1,{SECRET}kg,0\n", "landing/a.csv, line 3, column 'y': not a number"),
        (f"x,y,label\n{SECRET},,0\n", "landing/a.csv, line 2, column 'y': empty"),
        (f"x,y,label\n{SECRET},nan,0\n", "landing/a.csv, line 2, column 'y': not a finite number"),
        (f"x,y,label\n-inf,{SECRET},0\n", "landing/a.csv, line 2, column 'x': not a finite number"),
        (f"x,y,label\n1_000,{SECRET},0\n", "landing/a.csv, line 2, column 'x': not a number"),
        (f"x,y,label\n1,2,{SECRET}\n", "landing/a.csv, line 2, column 'label': not one of the labels 0, 1"),
        ("x,y,label\n1,2,1e300\n", "landing/a.csv, line 2, column 'label': not one of the labels 0, 1"),
        (f'x,y,label\n1,"{SECRET}"5,0\n', "landing/a.csv, line 2: not readable as CSV; check the quotes"),
    ],
)
def test_a_fault_is_named_by_file_line_and_column_and_never_by_value(text: str, message: str) -> None:
    with pytest.raises(strict_csv.DataError) as caught:
        read(text)

    assert str(caught.value) == message
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_bytes_that_are_not_utf8_are_refused_with_the_line() -> None:
    with pytest.raises(strict_csv.DataError, match=r"^landing/a\.csv, line 2: not UTF-8 text"):
        read(b"x,y,label\n1,\xff,0\n")


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(rows=st.lists(st.tuples(numbers, numbers, st.sampled_from([0, 1])), min_size=1), chunk=st.integers(1, 64))
def test_every_finite_number_comes_back_exactly_however_the_stream_is_cut(rows: list[Any], chunk: int) -> None:
    table = read("x,y,label\n" + "".join(f"{x!r},{y!r},{label}\n" for x, y, label in rows), chunk=chunk)

    assert table.features.tolist() == [[x, y] for x, y, _ in rows]
    assert table.labels.tolist() == [label for _, _, label in rows]


@given(cell=st.text(min_size=1, max_size=12))
def test_no_cell_ever_shows_up_in_an_error(cell: str) -> None:
    with pytest.raises(strict_csv.DataError) as caught:
        read(f"x,y,label\n1,2,0\nCANARY{cell},2,0\n")

    assert "CANARY" not in str(caught.value)
