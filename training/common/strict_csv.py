"""Numbers from CSV, strictly, in one pass over a stream of bytes.

What a data owner must be told is where the fault is; what must never be told is the value, because messages travel to
the cloud. So a :class:`DataError` names the file, the line and the column, and quotes nothing that the file holds.
"""

import csv
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


class DataError(Exception):
    """The training data cannot be used as it is; the text is fit for the cloud and for the data owner."""


@dataclass(frozen=True)
class Table:
    """Rows of one file or of several: features in the asked order, and one label each."""

    features: Matrix
    labels: Labels


def read_table(name: str, chunks: Iterable[bytes], *, features: Sequence[str], label: str, classes: set[int]) -> Table:
    """Read one CSV file with a header line; its columns may come in any order, and others are left alone.

    Raises :class:`DataError` for a missing or repeated column, a row of another length, a cell that is not a finite
    number, a label outside ``classes``, bytes that are not UTF-8, and a file without rows.
    """
    rows = csv.reader(_lines(name, chunks), strict=True)
    wanted = (*features, label)
    try:
        header = next(rows, None)
        if header is None:
            raise DataError(f"{name}: the file is empty; it needs a header line")
        places = _places(name, header, wanted)
        values = array("d")
        for row in rows:
            if not row:  # a blank line, most often the last one
                continue
            values.extend(_numbers(name, rows.line_num, row, places, wanted, width=len(header)))
            if int(values[-1]) != values[-1] or int(values[-1]) not in classes:
                raise DataError(
                    f"{name}, line {rows.line_num}, column {label!r}: not one of the labels {_list(classes)}"
                )
    except csv.Error:  # its text may quote the file
        raise DataError(f"{name}, line {rows.line_num}: not readable as CSV; check the quotes") from None
    if not values:
        raise DataError(f"{name}: the file has a header, but no rows")
    table = np.frombuffer(values, dtype=np.float64).reshape(-1, len(wanted))
    return Table(features=table[:, :-1], labels=table[:, -1].astype(np.int64))


def joined(tables: Sequence[Table]) -> Table:
    """All rows, in the order of the tables."""
    return Table(
        features=np.concatenate([table.features for table in tables]),
        labels=np.concatenate([table.labels for table in tables]),
    )


def _lines(name: str, chunks: Iterable[bytes]) -> Iterator[str]:
    """Split a stream into lines, keeping their ends, without holding more than a chunk and a line."""
    rest = b""
    number = 0
    for chunk in chunks:
        # A newline's byte is part of no other character in UTF-8, so lines can be cut before they are decoded.
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            yield _decoded(name, number, line) + "\n"
    if rest:
        yield _decoded(name, number + 1, rest)


def _decoded(name: str, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")  # spreadsheets like to write a byte order mark
    except UnicodeDecodeError:
        raise DataError(f"{name}, line {number}: not UTF-8 text; save the file as UTF-8") from None


def _places(name: str, header: list[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted columns are. Names found in the header are not echoed: without one it is a row of data."""
    titles = [title.strip() for title in header]
    missing = [column for column in wanted if column not in titles]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(f"{name}, line 1: the header lacks the column {missing[0]!r}{more}")
    repeated = [column for column in wanted if titles.count(column) > 1]
    if repeated:
        raise DataError(f"{name}, line 1: the header has the column {repeated[0]!r} more than once")
    return [titles.index(column) for column in wanted]


def _numbers(
    name: str, line: int, row: list[str], places: list[int], wanted: Sequence[str], *, width: int
) -> list[float]:
    if len(row) != width:
        raise DataError(f"{name}, line {line}: {len(row)} columns where the header has {width}")
    try:
        values = [float(row[place]) for place in places]
    except ValueError:
        values = []
    # float() also takes 1_000, nan and inf, none of which is a measurement.
    if values and all(map(math.isfinite, values)) and "_" not in "".join(row):
        return values
    return [_number(name, line, column, row[place]) for column, place in zip(wanted, places, strict=True)]


def _number(name: str, line: int, column: str, text: str) -> float:
    """One cell, for the row that has a fault."""
    problem = "not a number"
    if not text.strip():
        problem = "empty"
    elif "_" not in text:
        try:
            value = float(text)
        except ValueError:
            pass
        else:
            if math.isfinite(value):
                return value
            problem = "not a finite number"
    raise DataError(f"{name}, line {line}, column {column!r}: {problem}")


def _list(classes: set[int]) -> str:
    return ", ".join(str(label) for label in sorted(classes))
