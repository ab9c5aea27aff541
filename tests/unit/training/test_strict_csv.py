import codecs
import gzip
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.job_modules import common_modules

with common_modules("strict_csv") as (_module,):
    strict_csv: ModuleType = _module

GOOD = "x,y,label\n1.5,2,0\n"
NO_HEADER = "landing/a.csv, line 1: the header lacks the column 'x' (and 2 more)"
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
        (
            f"{SECRET},2,0\n1,2,0\n",
            f"{NO_HEADER}: the file has no header: its first line is a row of numbers",
        ),
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


numbers = st.floats(-strict_csv.LARGEST, strict_csv.LARGEST)


@given(rows=st.lists(st.tuples(numbers, numbers, st.sampled_from([0, 1])), min_size=1), chunk=st.integers(1, 64))
def test_every_finite_number_comes_back_exactly_however_the_stream_is_cut(rows: list[Any], chunk: int) -> None:
    table = read("x,y,label\n" + "".join(f"{x!r},{y!r},{label}\n" for x, y, label in rows), chunk=chunk)

    assert table.features.tolist() == [[x, y] for x, y, _ in rows]
    assert table.labels.tolist() == [label for _, _, label in rows]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gzip.compress(b"x,y,label\n1,2,0\n", mtime=0), ": the file is compressed with gzip; upload it unpacked"),
        (
            b"PK\x03\x04" + bytes(40),
            ": the file is a zip archive, such as an Excel workbook; upload the CSV file itself",
        ),
        (GOOD.encode("utf-16"), ": the file is UTF-16 text, not UTF-8; save the file as UTF-8"),
        (GOOD.encode("utf-16-le"), ": the file is UTF-16 text, not UTF-8; save the file as UTF-8"),
        (GOOD.encode("utf-16-be"), ": the file is UTF-16 text, not UTF-8; save the file as UTF-8"),
        (GOOD.replace(",", ";").encode(), "separated by semicolons; use commas, and write decimals with a dot"),
        (GOOD.replace(",", "\t").encode(), "separated by tabs; use commas, and write decimals with a dot"),
        (
            GOOD.replace("\n", "\r").encode(),
            ", line 1: the line ends with CR alone; save the file with line ends LF or CRLF",
        ),
        (b"sep=,\n" + GOOD.encode(), "a line for spreadsheets (sep=), where the header must be; remove it"),
        (b"# exported\n" + GOOD.encode(), "a comment, where the header must be; remove it"),
        (b"\n" + GOOD.encode(), "the line is blank, and must be the header"),
        (codecs.BOM_UTF8 * 2 + GOOD.encode(), "a second byte order mark; save the file again as UTF-8"),
        (GOOD.upper().encode(), "in other capital or small letters; write them as agreed"),
        (GOOD.encode() * 2, ", line 3, column 'x': not a number, but the header once more"),
        (GOOD.encode() + b",,\n", ", line 3: every cell is empty; remove the row"),
        (
            b'x,y,label\n"1,5",2,0\n',
            "column 'x': not a number; write decimals with a dot, and nothing between thousands",
        ),
        (b'x,y,label\n"1,234.5",2,0\n', "column 'x': not a number; write nothing between thousands"),
        ("x,y,label\n1\u00a0234,2,0\n".encode(), "column 'x': not a number; write nothing between thousands"),
        ("x,y,label\n\u0661\u0662,2,0\n".encode(), ", line 2, column 'x': not a number"),
        (b"x,y,label\n1,2,0\n1,\x00,1\n", ", line 3: a NUL byte (zero byte), which is not text; write the file again"),
        (b"x,y,label,note\n1,2,0," + b"n" * 140_000 + b"\n", "a field of more than 131,072 characters, too long; is a"),
        (b"x,y,label\n1e308,2,0\n", "column 'x': a number of more than 150 digits, too large to compute with"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_the_words_of_who_wrote_it(content: bytes, expected: str) -> None:
    with pytest.raises(strict_csv.DataError) as caught:
        read(content, chunk=4096)

    assert expected in str(caught.value)


def test_a_line_without_an_end_is_not_collected_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_csv, "LONGEST_LINE", 1000)
    taken = []

    def endless(byte: bytes) -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield byte * 100

    for byte, expected in ((b"x", "a line of more than 1,000 bytes"), (b"\r", "the line ends with CR alone")):
        taken.clear()
        with pytest.raises(strict_csv.DataError, match=expected):
            strict_csv.read_table("a.csv", endless(byte), features=("x",), label="label", classes={0})
        assert len(taken) == 11


@pytest.mark.parametrize("blank", ["   \n", "\n", " \t \n"])
def test_blank_lines_are_no_rows(blank: str) -> None:
    assert read(GOOD + blank).features.tolist() == [[1.5, 2]]


def test_all_lines_with_a_fault_are_counted_and_the_first_is_named() -> None:
    with pytest.raises(strict_csv.DataError) as caught:
        read(f"x,y,label\n1,2,0\n{SECRET}a,2,0\n1,2,0\n1,2\n1,2,{SECRET}\n")

    assert str(caught.value) == "landing/a.csv, line 3, column 'x': not a number (3 lines have a fault)"


@given(content=st.binary(max_size=200) | st.text("x,y;label\t\"'\r\n01.e-\0\ufeff", max_size=60).map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(content: bytes) -> None:
    refused = ""
    try:
        table = read(b"x,y,label\n" + content)
    except strict_csv.DataError as error:
        refused = str(error)

    assert refused.startswith("landing/a.csv") or (
        not refused and np.isfinite(table.features).all() and len(table.features) == len(table.labels) > 0
    )


@given(cell=st.text(min_size=1, max_size=12))
def test_no_cell_ever_shows_up_in_an_error(cell: str) -> None:
    with pytest.raises(strict_csv.DataError) as caught:
        read(f"x,y,label\n1,2,0\nCANARY{cell},2,0\n")

    assert "CANARY" not in str(caught.value)
