"""Checks a CSV file against its declared columns, in one pass with little memory.

All faults are counted. What is told of them are line and column, never a value, because it travels to the cloud.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from site_agent.job import csv_shapes
from site_agent.job.csv_columns import check_of
from site_agent.job.csv_lines import CR_ONLY, Lines, UnreadableError
from site_agent.job.order import Column

SHOWN: Final = 5  # faults of a file that are told one by one
_CHUNK: Final = 1024 * 1024  # bytes
_CELLS: Final = 1 << 16  # checked at once
_CHARACTERS: Final = 8 * 1024 * 1024  # of rows that are held at once


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault. ``line`` is 0 for the file as a whole, ``column`` empty for the line as a whole."""

    line: int
    column: str
    what: str

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        column = f"column {self.column!r}" if self.column else ""
        place = ", ".join(part for part in (line, column) if part)
        return f"{place}: {self.what}" if place else self.what


@dataclass(frozen=True, slots=True)
class CsvReport:
    """What a file holds. ``findings``: how many faults, on ``faulty_lines`` lines; ``shown``: the first of them.

    ``ended_early``: the file was not read to its end, because of the last of its faults.
    """

    rows: int
    findings: int
    faulty_lines: int
    shown: tuple[Finding, ...]
    ended_early: bool = False

    @property
    def sound(self) -> bool:
        """Whether the file has no fault."""
        return self.findings == 0

    def told(self, name: str) -> str:
        """The first faults, and how many there are; ``name``: the file's, as its owner knows it."""
        first = "; ".join(map(str, self.shown))
        lead = f"{name}, {first}" if self.shown and self.shown[0].line else f"{name}: {first}"
        if self.findings == len(self.shown):
            return lead
        return f"{lead}; {self.findings} faults in {self.faulty_lines} lines"


def check_csv(path: Path, columns: Mapping[str, Column], *, shown: int = SHOWN) -> CsvReport:
    """Check a file with a header line; columns may come in any order, and others are ignored.

    Raises ``ValueError`` when a column's bounds or values do not fit its kind, and ``OSError``.
    """
    with path.open("rb") as file:
        return check_stream(iter(lambda: file.read(_CHUNK), b""), columns, shown=shown)


def check_stream(chunks: Iterable[bytes], columns: Mapping[str, Column], *, shown: int = SHOWN) -> CsvReport:
    """The same for bytes that come in pieces."""
    checking = _Checking(columns, shown)
    lines = Lines(chunks)
    rows = csv.reader(lines, strict=True)
    try:
        header = next(rows, None)
        trouble = _trouble_with(header, lines.last, list(columns))
        if header is None or trouble:
            raise UnreadableError(0 if header is None else 1, trouble)
        checking.read(header, _numbered(rows, lines))
        if not checking.rows:
            checking.note([Finding(0, "", "the file has a header, but no rows")])
    except UnreadableError as error:
        checking.end_early(Finding(error.line, "", error.what))
    except csv.Error as error:  # its text may quote the file
        checking.end_early(Finding(rows.line_num, "", _unreadable(error, lines.last)))
    return checking.report()


def _numbered(rows: Iterator[list[str]], lines: Lines) -> Iterator[tuple[int, list[str], int]]:
    """Each row with the number of its last line, and how many characters it has."""
    lines.taken = 0
    for row in rows:
        yield rows.line_num, row, lines.taken  # type: ignore[attr-defined]  # a reader of the module csv
        lines.taken = 0


@dataclass
class _Checking:
    """What was found so far."""

    columns: Mapping[str, Column]
    most_shown: int
    rows: int = 0
    findings: int = 0
    faulty_lines: int = 0
    shown: list[Finding] = field(default_factory=list)
    ended_early: bool = False

    def read(self, header: Sequence[str], rows: Iterable[tuple[int, list[str], int]]) -> None:
        """Check all rows, many at a time."""
        titles = [title.strip() for title in header]
        checks = [(name, titles.index(name), check_of(column)) for name, column in self.columns.items()]
        most = max(1, _CELLS // len(checks))
        batch: list[list[str]] = []
        numbers: list[int] = []
        held: list[Finding] = []  # of rows without the right cells
        characters = 0

        def check() -> None:
            for name, place, rule in checks:
                for at, what in rule.faults([row[place] for row in batch]):
                    held.append(Finding(numbers[at], name, what))
            self.note(held)
            for gathered in (batch, numbers, held):
                gathered.clear()

        try:
            for number, row, size in rows:
                trouble = _trouble_of(row, header)
                if trouble is None:
                    continue
                self.rows += 1
                if trouble:
                    held.append(Finding(number, "", trouble))
                else:
                    batch.append(row)
                    numbers.append(number)
                characters += size
                if len(batch) >= most or characters >= _CHARACTERS or len(held) >= _CELLS:
                    check()
                    characters = 0
        finally:
            check()  # what was read before a line that ends the reading has its faults too

    def note(self, findings: list[Finding]) -> None:
        """Count faults of lines that come after all those before."""
        self.findings += len(findings)
        self.faulty_lines += len({finding.line for finding in findings})
        if len(self.shown) < self.most_shown:
            findings.sort(key=lambda finding: finding.line)
            self.shown += findings[: self.most_shown - len(self.shown)]

    def end_early(self, finding: Finding) -> None:
        """Note a fault after which nothing can be read; it is always among those that are shown."""
        self.findings += 1
        self.faulty_lines += 1
        self.shown = [*self.shown[: self.most_shown - 1], finding]
        self.ended_early = True

    def report(self) -> CsvReport:
        return CsvReport(self.rows, self.findings, self.faulty_lines, tuple(self.shown), self.ended_early)


def _trouble_with(header: Sequence[str] | None, line: str, wanted: Sequence[str]) -> str:
    """What is the matter with a header. Names found there are not echoed: without a header it is a row of data."""
    if header is None:
        return "the file is empty; it needs a header line"
    titles = [title.strip() for title in header]
    missing = [column for column in wanted if column not in titles]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        why = csv_shapes.no_header(line, titles, wanted)
        return f"the header lacks the column {missing[0]!r}{more}{f': {why}' if why else ''}"
    repeated = [column for column in wanted if titles.count(column) > 1]
    return f"the header has the column {repeated[0]!r} more than once" if repeated else ""


def _trouble_of(row: list[str], header: Sequence[str]) -> str | None:
    """What is the matter with the cells of a row; None for a blank line, most often the last one."""
    if len(row) != len(header):
        if not "".join(row).strip():
            return None
        return f"{len(row)} columns where the header has {len(header)}"
    if row == header:
        return "the header once more; remove the line"
    if not any(row) or not any(map(str.strip, row)):
        return "every cell is empty; remove the row"
    return ""


def _unreadable(error: csv.Error, line: str) -> str:
    if "\r" in line.rstrip("\r\n"):
        return CR_ONLY
    if "field limit" in str(error):
        return f"a field of more than {csv.field_size_limit():,} characters, too long; is a quote not closed?"
    return "not readable as CSV; check the quotes"
