"""Look for training rows in the pieces of a model."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from site_agent.job.guard import findings as names
from site_agent.job.guard.decoding import decoded
from site_agent.job.guard.findings import Finding
from site_agent.job.guard.fingerprints import Index
from site_agent.job.guard.pieces import Piece, Recognised, numbers
from site_agent.job.guard.samples import Samples
from site_agent.job.guard.shapes import Scales, entry_per_row, looks_like_rows
from site_agent.job.guard.spans import CHUNK
from site_agent.job.guard.windows import add_bytes, add_lines, add_rows
from site_agent.job.guard.words import TextsOfTheData

_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_MOST_TEXT: Final = 32 * 1024 * 1024
_MOST_COLUMNS_TURNED: Final = 8192


@dataclass(slots=True)
class Sought:
    """The training data as it is looked for. ``covered``: rows, lines and files that have enough to be recognised."""

    samples: Samples
    index: Index
    covered: int
    texts: TextsOfTheData


def sought(samples: Samples, *, least_rows: int) -> Sought:
    """Prepare what is looked for in every piece."""
    index = Index()
    covered = add_rows(index, samples.matrix, "rows") if samples.matrix.size else 0
    covered += add_lines(index, samples.lines, "lines as text")
    covered += add_bytes(index, samples.runs, "parts of files")
    return Sought(samples, index, covered, TextsOfTheData(samples, least_rows))


def look(
    file: str, recognised: Recognised, wanted: Sought, scales: Scales, *, least_rows: int, rows_are: str = "training"
) -> list[Finding]:
    """Findings in one file. ``rows_are``: ``training``, or what a step of the model made of them."""
    found: list[Finding] = []
    for piece in _pieces(recognised):
        where = wanted.texts.without(f"{file} {piece.where}".strip())
        rows = _rows_in(piece, wanted.index)
        found += [Finding(check=names.ROWS, where=where, what=f"{rows_are} {what}") for what in rows]
        if rows:
            continue
        like = looks_like_rows(piece, scales)
        if like:
            found.append(Finding(check=names.SHAPES, where=where, what=like))
        per_row = entry_per_row(piece, wanted.samples)
        if per_row:
            found.append(Finding(check=names.PER_ROW, where=where, what=per_row))
        if piece.where.endswith("class_count_") and _has_small_class(piece, least_rows):
            what = f"means and variances of a class with fewer than {least_rows} training rows"
            found.append(Finding(check=names.LEAST_ROWS, where=where, what=what))
    for what in wanted.texts.findings(_all_strings(recognised)):
        found.append(Finding(check=names.WORDS, where=wanted.texts.without(file), what=what))
    return found


def _pieces(recognised: Recognised) -> Iterator[Piece]:
    yield from recognised.pieces
    joined = "\n".join(recognised.strings)[:_MOST_TEXT]
    if joined:
        yield Piece("texts", joined.encode("utf-8", "surrogatepass"))
        yield Piece("texts run together", "".join(recognised.strings)[:_MOST_TEXT].encode("utf-8", "surrogatepass"))
        in_texts = [float(each) for each in _NUMBER.findall(joined)]
        if in_texts:
            yield numbers("numbers in texts", in_texts)


def _all_strings(recognised: Recognised) -> Iterator[str]:
    yield from recognised.strings
    for piece in recognised.pieces:
        if piece.dtype and np.dtype(piece.dtype).kind in "US" and piece.size <= _MOST_TEXT:
            for each in np.frombuffer(piece.read(0, piece.size), piece.dtype).tolist():
                yield each.decode("utf-8", "replace") if isinstance(each, bytes) else each


def _rows_in(piece: Piece, index: Index) -> list[str]:
    """What was found, such as ``rows as float64 (12 of them)``."""
    found: Counter[str] = Counter()
    for form, chunks in _views(piece):
        for label, owners in index.find(chunks).items():
            found[f"{label}{form}"] = len(owners)
    for wrapping, data in decoded(piece):
        for label, owners in index.find([data]).items():
            found[f"{label}, {wrapping}"] = max(len(owners), found[f"{label}, {wrapping}"])
    return [f"{label} ({count} of them)" for label, count in found.most_common(3)]


def _views(piece: Piece) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The bytes as they are, and the array turned, so that rows lie together that were apart."""
    yield "", piece.chunks(CHUNK)
    shape = tuple(reversed(piece.shape)) if piece.fortran else piece.shape
    turns = len(shape) == 2 and piece.dtype and 2 <= shape[0] <= _MOST_COLUMNS_TURNED and shape[1] > 1
    if turns and shape[0] * shape[1] * np.dtype(piece.dtype).itemsize == piece.size:
        yield ", transposed" if not piece.fortran else "", _turned(piece, shape[0], shape[1])


def _turned(piece: Piece, columns: int, rows: int) -> Iterator[bytes]:
    """An array that is stored column by column, row by row."""
    size = np.dtype(piece.dtype).itemsize
    step = max(1, CHUNK // (columns * size))
    for begin in range(0, rows, step):
        count = min(step, rows - begin)
        parts = [piece.read((column * rows + begin) * size, count * size) for column in range(columns)]
        block = np.frombuffer(b"".join(parts), np.uint8).reshape(columns, count, size)
        yield block.transpose(1, 0, 2).tobytes()


def _has_small_class(piece: Piece, least_rows: int) -> bool:
    if not piece.dtype or np.dtype(piece.dtype).kind not in "fiu":
        return False
    values = np.frombuffer(piece.read(0, CHUNK), piece.dtype)
    return bool(((values > 0) & (values < least_rows)).any())


def short_of_rows(samples: Samples, least_rows: int) -> Sequence[Finding]:
    """A model of few rows tells them whatever it is: means of two rows with their variances are the rows."""
    if samples.rows >= least_rows:
        return []
    what = f"it was trained on {samples.rows} rows, and the site's policy asks for at least {least_rows}"
    return [Finding(check=names.LEAST_ROWS, where="model", what=what)]
