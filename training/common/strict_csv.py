"""Strict parser for numbers in CSV, in one pass over a stream of bytes.

Its errors say where a fault is and never quote the value, because they travel to the cloud: a :class:`DataError` names
the file, the line and the column.
"""

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import csv_shapes
import numpy as np
from job_failures import DataError
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

LARGEST = 1e150  # its square is finite, so that means and variances are
LONGEST_LINE = 4 * 1024 * 1024  # bytes


class _RowError(Exception):
    """A fault of one row; reading can go on. The text says where in it, and what."""


@dataclass(frozen=True)
class Table:
    """Rows of one file or of several: features in the asked order, and one label each."""

    features: Matrix
    labels: Labels


def read_table(name: str, chunks: Iterable[bytes], *, features: Sequence[str], label: str, classes: set[int]) -> Table:
    """Read one CSV file with a header line; columns may come in any order, and others are ignored.

    Raises :class:`DataError` for a missing or repeated column, bytes that are not UTF-8, and a file without rows; and
    at the end for rows of another length, cells that are not finite numbers, and labels outside ``classes``: for the
    first one, with the number of further lines with a fault.
    """
    lines = _Lines(name, chunks)
    rows = csv.reader(lines, strict=True)
    columns = _Columns((*features, label), classes)
    values, first, faulty = array("d"), "", 0
    try:
        columns.find(name, lines, next(rows, None))
        for row in rows:
            try:
                values.extend(columns.numbers(row))
            except _RowError as error:
                first, faulty = first or f"{name}, line {rows.line_num}{error}", faulty + 1
    except csv.Error as error:  # its text may quote the file
        raise DataError(f"{name}, line {rows.line_num}: {_unreadable(error, lines.last)}") from None
    if first:
        raise DataError(first + (f" ({faulty} lines have a fault)" if faulty > 1 else ""))
    if not values:
        raise DataError(f"{name}: the file has a header, but no rows")
    table = np.frombuffer(values, dtype=np.float64).reshape(-1, len(columns.wanted))
    return Table(features=table[:, :-1], labels=table[:, -1].astype(np.int64))


def joined(tables: Sequence[Table]) -> Table:
    """All rows, in the order of the tables."""
    return Table(
        features=np.concatenate([table.features for table in tables]),
        labels=np.concatenate([table.labels for table in tables]),
    )


class _Columns:
    """The wanted columns of a file: where they are, and what a row has in them. The last one is the label."""

    def __init__(self, wanted: tuple[str, ...], classes: set[int]) -> None:
        self.wanted = wanted
        self._classes = classes
        self._labels = ", ".join(str(label) for label in sorted(classes))

    def find(self, name: str, lines: "_Lines", header: list[str] | None) -> None:
        """Find them in the header. Names found there are not echoed: without a header it is a row of data."""
        if header is None:
            raise DataError(f"{name}: the file is empty; it needs a header line")
        titles = [title.strip() for title in header]
        missing = [column for column in self.wanted if column not in titles]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            why = csv_shapes.no_header(lines.last, titles, self.wanted)
            lacks = f"the header lacks the column {missing[0]!r}{more}"
            raise DataError(f"{name}, line 1: {lacks}{f': {why}' if why else ''}")
        repeated = [column for column in self.wanted if titles.count(column) > 1]
        if repeated:
            raise DataError(f"{name}, line 1: the header has the column {repeated[0]!r} more than once")
        self._titles = header
        self._places = [titles.index(column) for column in self.wanted]

    def numbers(self, row: list[str]) -> list[float]:
        """The row's numbers, none for a blank line. Raises :class:`_RowError`."""
        if len(row) != len(self._titles):
            if not "".join(row).strip():  # a blank line, most often the last one
                return []
            raise _RowError(f": {len(row)} columns where the header has {len(self._titles)}")
        try:
            values = [float(row[place]) for place in self._places]
        except ValueError:
            raise self._fault(row) from None
        text = "".join(row)
        if not (text.isascii() and "_" not in text and all(-LARGEST <= value <= LARGEST for value in values)):
            self._check_each(row)
        if int(values[-1]) != values[-1] or int(values[-1]) not in self._classes:
            raise _RowError(f", column {self.wanted[-1]!r}: not one of the labels {self._labels}")
        return values

    def _check_each(self, row: list[str]) -> None:
        """One by one, in a row that is not made of plain numbers of the usual size alone; other columns may be so."""
        for place in self._places:
            if not csv_shapes.is_plain(row[place]) or not -LARGEST <= float(row[place]) <= LARGEST:
                raise self._fault(row)

    def _fault(self, row: list[str]) -> _RowError:
        if not "".join(row).strip():
            return _RowError(": every cell is empty; remove the row")
        for column, place in zip(self.wanted, self._places, strict=True):
            cell = row[place]
            if not csv_shapes.is_plain(cell):
                again = ", but the header once more" if row == self._titles else ""
                return _RowError(f", column {column!r}: {csv_shapes.no_number(cell)}{again}")
            if abs(float(cell)) == float("inf"):
                return _RowError(f", column {column!r}: not a finite number")
            if column != self.wanted[-1] and abs(float(cell)) > LARGEST:
                return _RowError(f", column {column!r}: a number of more than 150 digits, too large to compute with")
        return _RowError(f", column {self.wanted[-1]!r}: not one of the labels {self._labels}")


class _Lines:
    """Lines of a stream, with their ends; holds no more than a chunk and a line. ``last``: the one given last."""

    def __init__(self, name: str, chunks: Iterable[bytes]) -> None:
        self.last = ""
        self._name = name
        self._lines = self._split(chunks)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        return self.last

    def _split(self, chunks: Iterable[bytes]) -> Iterator[str]:
        rest = b""
        number = 0
        for chunk in chunks:
            # A newline's byte is part of no other character in UTF-8, so lines can be cut before they are decoded.
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                number += 1
                yield self._decoded(number, line) + "\n"
            if len(rest) > LONGEST_LINE:
                raise DataError(f"{self._name}, line {number + 1}: {_too_long(rest)}")
        if rest:
            yield self._decoded(number + 1, rest)

    def _decoded(self, number: int, line: bytes) -> str:
        where = f"{self._name}, line {number}"
        what = csv_shapes.no_text(line) if number == 1 else ""
        if what:
            raise DataError(f"{self._name}: the file is {what}")
        if b"\0" in line:
            raise DataError(f"{where}: a NUL byte (zero byte), which is not text; write the file again")
        try:
            # Spreadsheets like to write a byte order mark.
            return line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{where}: not UTF-8 text; save the file as UTF-8") from None


def _too_long(line: bytes) -> str:
    return _CR_ONLY if b"\r" in line else f"a line of more than {LONGEST_LINE:,} bytes; lines must end with a newline"


def _unreadable(error: csv.Error, line: str) -> str:
    if "\r" in line.rstrip("\r\n"):
        return _CR_ONLY
    if "field limit" in str(error):
        return f"a field of more than {csv.field_size_limit():,} characters, too long; is a quote not closed?"
    return "not readable as CSV; check the quotes"


_CR_ONLY = "the line ends with CR alone; save the file with line ends LF or CRLF"
