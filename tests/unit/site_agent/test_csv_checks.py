import codecs
import gzip
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job import csv_checks, csv_lines
from site_agent.job.csv_checks import CsvReport, check_csv, check_stream
from site_agent.job.order import Column

SECRET = "42.4242"
NUMBER = Column(kind="number")
COLUMNS = {"x": NUMBER, "y": NUMBER, "label": Column(kind="integer", values=(0, 1))}
GOOD = "x,y,label\n1.5,2,0\n"


def check(text: str | bytes, columns: dict[str, Column] | None = None, *, chunk: int = 7, shown: int = 5) -> CsvReport:
    content = text.encode() if isinstance(text, str) else text
    pieces = (content[at : at + chunk] for at in range(0, len(content), chunk))
    return check_stream(pieces, COLUMNS if columns is None else columns, shown=shown)


def told(text: str | bytes, columns: dict[str, Column] | None = None) -> str:
    report = check(text, columns)
    assert not report.sound
    return report.told("a.csv")


def cell(value: str, **column: Any) -> str:
    """What is told of a file with one cell, beside one that is always there; nothing when it is sound."""
    report = check(f"v,n\n{value},1\n", {"v": Column(**column), "n": NUMBER})
    return "" if report.sound else report.shown[0].what


@pytest.mark.parametrize(
    "text",
    [
        "x,y,label\r\n1,2,0\r\n",
        "\ufeffx,y,label\n1,2,1\n",
        'x,y,label\n"1","2","0"\n\n',
        " x , label, y\n1,0,2",
        "note,x,y,label\n\u00e9,1,2,0\n",
        GOOD + " \t \n",
    ],
    ids=[
        "windows",
        "byte order mark",
        "quoted and a blank line",
        "padded header",
        "other columns",
        "spaces at the end",
    ],
)
def test_what_spreadsheets_write_is_sound(text: str) -> None:
    assert check(text) == CsvReport(rows=1, findings=0, faulty_lines=0, shown=())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv: the file is empty; it needs a header line"),
        ("x,y,label\n", "a.csv: the file has a header, but no rows"),
        (f"{SECRET},2,0\n1,2,0\n", "line 1: the header lacks the column 'x' (and 2 more): the file has no header"),
        ("x,label\n1,0\n", "a.csv, line 1: the header lacks the column 'y'"),
        ("x,y,y,label\n1,2,2,0\n", "a.csv, line 1: the header has the column 'y' more than once"),
        (f"x,y,label\n1,2,0\n1,{SECRET}\n", "a.csv, line 3: 2 columns where the header has 3"),
        (f"x,y,label\n1,2,0\n1,{SECRET}kg,0\n", "a.csv, line 3, column 'y': not a number"),
        (f"x,y,label\n{SECRET},,0\n", "a.csv, line 2, column 'y': empty"),
        (f"x,y,label\n{SECRET},nan,0\n", "a.csv, line 2, column 'y': not a finite number"),
        (f"x,y,label\n-inf,{SECRET},0\n", "a.csv, line 2, column 'x': not a finite number"),
        (f"x,y,label\n1e999,{SECRET},0\n", "a.csv, line 2, column 'x': not a finite number"),
        (f"x,y,label\n1_000,{SECRET},0\n", "a.csv, line 2, column 'x': not a number"),
        (f"x,y,label\n1,2,{SECRET}\n", "a.csv, line 2, column 'label': not one of the allowed values 0, 1"),
        ("x,y,label\n1e308,2,0\n", "column 'x': a number of more than 150 digits, too large to compute with"),
        (f'x,y,label\n1,"{SECRET}"5,0\n', "a.csv, line 2: not readable as CSV; check the quotes"),
        (f"{GOOD}x,y,label\n", "a.csv, line 3: the header once more; remove the line"),
        (f"{GOOD},,\n", "a.csv, line 3: every cell is empty; remove the row"),
        (f"{GOOD} ,  ,\n", "a.csv, line 3: every cell is empty; remove the row"),
        (b"x,y,label\n1,\xff,0\n", "a.csv, line 2: not UTF-8 text; save the file as UTF-8"),
        (b"x,y,label\n1,2,0\n1,\x00,1\n", "a.csv, line 3: a NUL byte (zero byte), which is not text"),
        (gzip.compress(GOOD.encode(), mtime=0), "a.csv: the file is compressed with gzip; upload it unpacked"),
        (b"PK\x03\x04" + bytes(40), "a.csv: the file is a zip archive, such as an Excel workbook"),
        (GOOD.encode("utf-16"), "a.csv: the file is UTF-16 text, not UTF-8; save the file as UTF-8"),
        (GOOD.encode("utf-16-le"), "a.csv: the file is UTF-16 text, not UTF-8; save the file as UTF-8"),
        (GOOD.replace(",", ";"), "separated by semicolons; use commas, and write decimals with a dot"),
        (GOOD.replace(",", "\t"), "separated by tabs; use commas, and write decimals with a dot"),
        (GOOD.replace("\n", "\r"), "a.csv, line 1: the line ends with CR alone"),
        ("sep=,\n" + GOOD, "a line for spreadsheets (sep=), where the header must be; remove it"),
        ("# exported\n" + GOOD, "a comment, where the header must be; remove it"),
        ("\n" + GOOD, "a.csv, line 1: the header lacks the column 'x' (and 2 more): the line is blank"),
        (codecs.BOM_UTF8 * 2 + GOOD.encode(), "a second byte order mark; save the file again as UTF-8"),
        (GOOD.upper(), "in other capital or small letters; write them as agreed"),
        ('x,y,label\n"1,5",2,0\n', "not a number; write decimals with a dot, and nothing between thousands"),
        ("x,y,label\n1\u00a0234,2,0\n", "column 'x': not a number; write nothing between thousands"),
        ("x,y,label\n\u0661\u0662,2,0\n", "a.csv, line 2, column 'x': not a number"),
        ("x,y,label,note\n1,2,0," + "n" * 140_000, "a field of more than 131,072 characters, too long"),
    ],
)
def test_a_fault_is_told_by_line_and_column_and_never_by_value(text: str | bytes, message: str) -> None:
    sentence = told(text)

    assert message in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize(
    ("value", "column", "what"),
    [
        ("", {"kind": "number", "nullable": True}, ""),
        ("  ", {"kind": "number", "nullable": True}, ""),
        ("1", {"kind": "number", "nullable": True}, ""),
        ("x", {"kind": "number", "nullable": True}, "not a number"),
        ("NA", {"kind": "number", "nullable": True}, "not a number"),
        ("-1", {"kind": "number", "least": 0}, "less than 0, which is the least allowed"),
        ("0", {"kind": "number", "least": 0, "most": 1}, ""),
        ("1", {"kind": "number", "least": 0, "most": 1}, ""),
        ("1.01", {"kind": "number", "least": 0, "most": 1}, "more than 1, which is the most allowed"),
        ("2.0", {"kind": "integer"}, ""),
        ("2.5", {"kind": "integer"}, "not a whole number"),
        ("7", {"kind": "integer", "values": tuple(range(12))}, ""),
        (
            "12",
            {"kind": "integer", "values": tuple(range(12))},
            "not one of the allowed values 0, 1, 2, 3, 4, 5, 6, 7,",
        ),
        ("anything, really", {"kind": "text"}, ""),
        ("", {"kind": "text"}, "empty"),
        (" ", {"kind": "text"}, "empty"),
        ("", {"kind": "text", "nullable": True}, ""),
        ("north", {"kind": "text", "values": ("north", "south")}, ""),
        ("East", {"kind": "text", "values": ("north", "south")}, "not one of the allowed values north, south"),
        ("", {"kind": "text", "values": ("north",), "nullable": True}, ""),
        ("", {"kind": "text", "values": ("north",)}, "empty"),
        ("2024-02-29", {"kind": "date"}, ""),
        ("2024-12-31T23:59", {"kind": "date"}, ""),
        ("2024-12-31 23:59:59.5+02:00", {"kind": "date"}, ""),
        ("2023-02-29", {"kind": "date"}, "not a date"),
        ("31.12.2024", {"kind": "date"}, "not a date"),
        ("20241231", {"kind": "date"}, "not a date"),
        ("2024-W01-1", {"kind": "date"}, "not a date"),
        ("", {"kind": "date"}, "empty"),
        ("", {"kind": "date", "nullable": True}, ""),
        ("2024-12-31T23:59:59Z", {"kind": "date", "most": "2024-12-31"}, ""),
        ("2025-01-01", {"kind": "date", "most": "2024-12-31"}, "after 2024-12-31, which is the most allowed"),
        ("2023-12-31", {"kind": "date", "least": "2024-01-01"}, "before 2024-01-01, which is the least allowed"),
        ("2024-01-01T12:00", {"kind": "date", "least": "2024-01-01T12:00Z"}, ""),
        ("2024-01-01T12:00+01:00", {"kind": "date", "least": "2024-01-01T12:00Z"}, "before 2024-01-01T12:00Z, which"),
        ("2024-01-02", {"kind": "date", "values": ("2024-01-01",)}, "not one of the allowed values 2024-01-01"),
    ],
)
def test_a_cell_must_be_what_its_column_declares(value: str, column: dict[str, Any], what: str) -> None:
    found = cell(f'"{value}"', **column)

    assert found.startswith(what) if what else found == ""


@pytest.mark.parametrize(
    "column",
    [
        Column(kind="number", least="low"),
        Column(kind="integer", values=("a",)),
        Column(kind="number", most=True),
        Column(kind="date", least="yesterday"),
    ],
)
def test_bounds_that_do_not_fit_the_kind_are_refused(column: Column) -> None:
    with pytest.raises(ValueError, match="must be"):
        check("v\n1\n", {"v": column})


def test_all_faults_are_counted_and_the_first_are_told() -> None:
    text = f"x,y,label\n1,2,0\n{SECRET}a,b,0\n1,2,0\n1,2\n1,2,{SECRET}\nc,2,0\n"
    report = check(text, shown=3)

    assert (report.rows, report.findings, report.faulty_lines) == (6, 5, 4)
    assert [(finding.line, finding.column) for finding in report.shown] == [(3, "x"), (3, "y"), (5, "")]
    assert report.told("a.csv") == (
        "a.csv, line 3, column 'x': not a number; line 3, column 'y': not a number;"
        " line 5: 2 columns where the header has 3; 5 faults in 4 lines"
    )


def test_faults_before_the_line_that_ends_the_reading_are_told_too() -> None:
    report = check(b"x,y,label\na,2,0\n1,\xff,0\nb,2,0\n")

    assert [(finding.line, finding.column) for finding in report.shown] == [(2, "x"), (3, "")]
    assert report.ended_early


@pytest.mark.parametrize("cells", [3, 64])
def test_rows_are_checked_many_at_a_time_with_the_same_result(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    lines = [f"{number},{'bad' if number % 7 == 0 else 1},{number % 3}" for number in range(100)]
    text = "x,y,label\n" + "\n".join(lines)
    at_once = check(text, shown=1000)

    monkeypatch.setattr(csv_checks, "_CELLS", cells)

    assert check(text, shown=1000) == at_once
    assert at_once.findings == sum(number % 7 == 0 for number in range(100)) + sum(n % 3 == 2 for n in range(100))


def test_neither_a_line_nor_a_row_without_an_end_is_collected_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_lines, "LONGEST_ROW", 1000)
    taken = []

    def endless(piece: bytes, start: bytes = b"") -> Iterator[bytes]:
        yield start
        for number in range(1000):
            taken.append(number)
            yield piece

    for piece, start, what in (
        (b"x" * 100, b"", "a line of more than 1,000 bytes"),
        (b"\r" * 100, b"", "the line ends with CR alone"),
        (
            b'"' + b"1" * 97 + b"\n" + b'",',
            b"x,y,label\n",
            "a row of more than 1,000 characters; is a quote not closed?",
        ),
    ):
        taken.clear()
        report = check_stream(endless(piece, start), COLUMNS)
        assert what in report.told("a.csv")
        assert len(taken) <= 12


def test_a_file_is_read_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(GOOD, encoding="utf-8")

    assert check_csv(path, COLUMNS).rows == 1


rows = st.lists(
    st.tuples(st.floats(-1e150, 1e150), st.sampled_from([0, 1]), st.dates(), st.text(min_size=1, max_size=8)),
    min_size=1,
    max_size=20,
)


@given(rows=rows, chunk=st.integers(1, 64))
def test_what_python_writes_is_sound_however_the_stream_is_cut(rows: list[Any], chunk: int) -> None:
    columns = {
        "x": NUMBER,
        "label": COLUMNS["label"],
        "day": Column(kind="date"),
        "t": Column(kind="text", nullable=True),
    }
    clean = str.maketrans("", "", "".join(map(chr, range(32))) + '\x7f"\ufeff')
    lines = (f'{x!r},{label},{day},"{text.translate(clean)}"' for x, label, day, text in rows)

    report = check(("x,label,day,t\n" + "\n".join(lines)).encode("utf-8"), columns, chunk=chunk)

    assert report.sound
    assert report.rows == len(rows)


@given(content=st.binary(max_size=200) | st.text("x,y;label\t\"'\r\n01.e-\0\ufeff", max_size=60).map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_its_faults_are_counted(content: bytes) -> None:
    report = check(b"x,y,label\n" + content)

    assert report.sound == (not report.shown)
    assert len(report.shown) == min(5, report.findings)
    assert report.faulty_lines <= report.findings
    assert report.rows > 0 or not report.sound


kinds = st.sampled_from(
    [
        Column(kind="number"),
        Column(kind="integer", nullable=True),
        Column(kind="text", values=("a", "b")),
        Column(kind="date", least="2000-01-01"),
    ]
)


@pytest.mark.parametrize("value", ["1" * 30_000 + "x", "1" * 15_000 + "." + "1" * 15_000 + "x", " " * 30_000 + "x"])
def test_a_long_cell_that_is_almost_a_number_is_told_at_once(value: str) -> None:
    """Each of its digits could once be taken in two ways, and one such cell kept the job busy for half an hour."""
    assert cell(value, kind="number") == "not a number"


@given(value=st.text(string.printable, min_size=1, max_size=12), column=kinds)
def test_no_cell_ever_shows_up_in_what_is_told(value: str, column: Column) -> None:
    sentence = check(f"v,n\nCANARY{value},1\n", {"v": column, "n": NUMBER}).told("a.csv")

    assert "CANARY" not in sentence
    assert sentence.startswith("a.csv, line ")


@given(cells=st.lists(st.sampled_from(["1", "0", "1e2", "x", "", " 2 ", "1_0", "inf", "-3", "2.5"]), min_size=1))
def test_cells_have_the_same_faults_alone_as_together(cells: list[str]) -> None:
    column: dict[str, Any] = {"kind": "integer", "nullable": True, "least": -1, "most": 50}
    together = check(
        "v,n\n" + "".join(f"{each},1\n" for each in cells), {"v": Column(**column), "n": NUMBER}, shown=999
    )

    alone = [(number, what) for number, each in enumerate(cells, start=2) if (what := cell(each, **column))]

    assert [(finding.line, finding.what) for finding in together.shown] == alone
