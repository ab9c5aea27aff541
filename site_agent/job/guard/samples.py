"""What is kept of the training data to look for in a model: rows, lines, words and runs of bytes, evenly chosen.

All rows are kept up to a number of them, and beyond that every second, fourth and so on: a model that holds many rows
holds some of these. Memory does not depend on the size of the data.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from site_agent.job.guard.data_files import DataFile, data_files, passing_over_damage
from site_agent.job.guard.windows import WINDOW_OF_BYTES, Matrix

MOST_ROWS: Final = 100_000
_MOST_WORDS: Final = 1_000_000
_MOST_WINDOWS: Final = 100_000
_MOST_WINDOWS_OF_A_FILE: Final = 2_000
_BATCH: Final = 5_000
_TRIED: Final = 500  # values of a column, to see whether it has numbers
_LONGEST_LINE: Final = 1 << 20
_HEAD: Final = 128  # bytes at the beginning of a binary file are its format's, not its own
_WORD: Final = re.compile(r"[^\W_]{3,40}")
PARQUET, PICTURES = "Parquet files", "pictures"
_KINDS: Final = {
    b"PAR1": PARQUET,
    b"\x89PNG": PICTURES,
    b"\xff\xd8\xff": PICTURES,
    b"II*\x00": PICTURES,
    b"MM\x00*": PICTURES,
    b"GIF8": PICTURES,
    b"BM": PICTURES,
}
_SNIFFED: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where the training data are. ``declared``: values that the pipeline's file itself names, by column."""

    folder: Path
    declared: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Samples:
    """What is looked for. ``rows``: all there are; ``every``: 1 when all were kept, 2 when every second was, ..."""

    rows: int = 0
    every: int = 1
    names: list[str] = field(default_factory=list)
    matrix: Matrix = field(default_factory=lambda: np.empty((0, 0)))
    lines: list[bytes] = field(default_factory=list)
    values: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    runs: list[tuple[int, bytes]] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    """Kept rows by column, numbers and texts, when they are asked for."""
    total_bytes: int = 0
    unread: list[str] = field(default_factory=list)
    """Kinds of files that only libraries of the dependency image can read."""

    def rare(self, counted: Counter[str], least_rows: int) -> frozenset[str]:
        """Texts that stand in fewer rows than statistics must have."""
        return frozenset(text for text, count in counted.items() if count * self.every < least_rows)


Reader = Callable[[DataFile], "tuple[list[str], Iterator[list[Any]]] | None"]
"""Names of columns and rows of a file that needs a library; None for other files."""


class _Kept:
    """Evenly chosen items of a long series."""

    def __init__(self, most: int) -> None:
        self.most, self.every, self.seen = most, 1, 0
        self.items: list[Any] = []

    def add(self, item: Any) -> None:
        """See the next item."""
        if self.seen % self.every == 0:
            self.items.append(item)
            if len(self.items) > self.most:
                self.items = self.items[::2]
                self.every *= 2
        self.seen += 1


def read_samples(
    reference: Reference, readers: Iterable[Reader] = (), *, most_rows: int = MOST_ROWS, keep_columns: bool = False
) -> Samples:
    """Read all files once. Text is taken line by line, as a table when it is one, and anything else as bytes."""
    samples = Samples()
    lines, tables = _Kept(most_rows), _Kept(most_rows)
    headers: list[list[str]] = []
    others: list[DataFile] = []
    files = list(data_files(reference.folder))
    samples.total_bytes = sum(each.size for each in files)
    for file in files:
        with passing_over_damage(file):
            if _add_table(file, readers, samples, tables):
                continue
            if _is_text(file):
                headers += _add_lines(file, lines)
                continue
        others.append(file)
    samples.rows = tables.seen or lines.seen or len(files)
    samples.every = max(lines.every, tables.every)
    samples.lines = lines.items
    kept = _as_table(samples, headers[0] if headers else None, tables.items)
    if kept is not None:
        _add_columns(samples, kept, reference.declared, keep=keep_columns)
    _add_runs(samples, others)
    samples.unread = sorted({kind for kind in map(_needs_library, others) if kind})
    return samples


def _add_table(file: DataFile, readers: Iterable[Reader], samples: Samples, kept: _Kept) -> bool:
    """Keep the rows of a file that one of the readers reads; whether one does."""
    table = next((found for found in (reader(file) for reader in readers) if found is not None), None)
    if table is None:
        return False
    samples.names = table[0]
    for row in table[1]:
        kept.add(row)
    return True


def _is_text(file: DataFile) -> bool:
    head = file.head(_SNIFFED)
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) == _SNIFFED
    return True


def _needs_library(file: DataFile) -> str:
    head = b""
    with passing_over_damage(file):
        head = file.head(8)
    return next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), "")


def _add_lines(file: DataFile, kept: _Kept) -> list[list[str]]:
    """Keep lines; returns the names in a first line without numbers, which is no row."""
    headers = []
    with file.open() as content:
        first = content.readline(_LONGEST_LINE)
        cells = _cells(first)
        if cells and len(cells) > 1 and not any(_is_number(each) for each in cells):
            headers.append(cells)
        elif first.strip():
            kept.add(first.rstrip(b"\r\n"))
        while line := content.readline(_LONGEST_LINE):
            if line.strip():
                kept.add(line.rstrip(b"\r\n"))
    return headers


def _cells(line: bytes) -> list[str] | None:
    text = line.decode("utf-8", "replace").lstrip("\ufeff").strip("\r\n")
    delimiter = max(",;\t|", key=text.count)
    try:
        return next(csv.reader([text], delimiter=delimiter), None)
    except csv.Error:
        return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_table(samples: Samples, header: list[str] | None, rows: list[list[Any]]) -> Iterator[list[Any]] | None:
    """The kept rows, when the files are tables; the words of their lines are kept when they are not."""
    if rows:
        widths = Counter(len(row) for row in rows)
        width = widths.most_common(1)[0][0]
        samples.names = samples.names if len(samples.names) == width else [str(each) for each in range(width)]
        return (row for row in rows if len(row) == width)
    width = len(header) if header else _width(samples.lines)
    if width > 1:
        samples.names = header or [str(number) for number in range(width)]
        delimiter = max(",;\t|", key=(samples.lines or [b""])[0].decode("utf-8", "replace").count)
        return _parsed((line.decode("utf-8", "replace") for line in samples.lines), delimiter, width)
    for line in samples.lines:
        samples.words.update(_words(line.decode("utf-8", "replace")))
    return None


def _width(lines: list[bytes]) -> int:
    widths = {len(_cells(line) or ()) for line in lines[:100]}
    return widths.pop() if len(widths) == 1 else 0


def _parsed(texts: Iterable[str], delimiter: str, width: int) -> Iterator[list[str]]:
    reader = csv.reader(texts, delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if len(row) == width:
            yield row


def _add_columns(
    samples: Samples, rows: Iterator[list[Any]], declared: Mapping[str, frozenset[str]], *, keep: bool
) -> None:
    numeric: list[int] | None = None
    parts: list[Matrix] = []
    while batch := [row for _, row in zip(range(_BATCH), rows, strict=False)]:
        columns = list(zip(*batch, strict=True))
        if numeric is None:
            numeric = [number for number, column in enumerate(columns) if _is_numeric(column)]
        parts.append(np.column_stack([_as_numbers(columns[number]) for number in numeric]) if numeric else _EMPTY)
        for number in set(range(len(columns))) - set(numeric):
            _add_texts(samples, columns[number], declared.get(samples.names[number], frozenset()))
        if keep:
            _keep(samples, columns, parts[-1], numeric)
    if parts and numeric:
        samples.matrix = np.concatenate(parts)


def _keep(samples: Samples, columns: list[tuple[Any, ...]], numbers: Matrix, numeric: list[int]) -> None:
    for number, name in enumerate(samples.names):
        if number in numeric:
            values = numbers[:, numeric.index(number)].tolist()
        else:
            values = [each or None for each in columns[number]]
        samples.columns.setdefault(name, []).extend(values)


_EMPTY: Final = np.empty((0, 0))


def _is_numeric(column: tuple[Any, ...]) -> bool:
    given = [each for each in column if each not in ("", None)][:_TRIED]
    return bool(given) and sum(_is_a_number(each) for each in given) >= 0.9 * len(given)


def _is_a_number(value: Any) -> bool:
    return _is_number(value) if isinstance(value, str) else isinstance(value, int | float)


def _as_numbers(column: tuple[Any, ...]) -> NDArray[np.float64]:
    try:
        return np.array(column, dtype=np.float64)
    except (ValueError, TypeError):
        return np.array([float(each) if _is_a_number(each) else np.nan for each in column], dtype=np.float64)


def _add_texts(samples: Samples, column: tuple[Any, ...], declared: frozenset[str]) -> None:
    for each in column:
        if isinstance(each, str) and each and each not in declared:
            if len(samples.values) < _MOST_WORDS:
                samples.values[each] += 1
            words = _words(each)
            if len(words) > 1 and len(samples.words) < _MOST_WORDS:
                samples.words.update(words)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _add_runs(samples: Samples, files: list[DataFile]) -> None:
    if not files:
        return
    each = max(4, min(_MOST_WINDOWS_OF_A_FILE, _MOST_WINDOWS // len(files)))
    step_of_files = max(1, len(files) * 4 // _MOST_WINDOWS)
    seen: Counter[bytes] = Counter()
    for number, file in enumerate(files[::step_of_files]):
        with passing_over_damage(file):
            for run in _runs_of(file, each):
                seen[run] += 1
                samples.runs.append((number, run))
    # What several files have in common, such as a colour profile, is nobody's.
    samples.runs = [(number, run) for number, run in samples.runs if seen[run] == 1]


def _runs_of(file: DataFile, most: int) -> Iterator[bytes]:
    """Up to so many runs of bytes, spread evenly."""
    last = file.size - WINDOW_OF_BYTES
    step = max(WINDOW_OF_BYTES, (file.size - _HEAD) // most)
    with file.open() as content:
        for at in range(min(_HEAD, max(0, last)), last + 1, step):
            content.seek(at)
            yield content.read(WINDOW_OF_BYTES)
