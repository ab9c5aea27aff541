"""Look for training rows in the pieces of a model."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from site_agent.job.guard import findings as names
from site_agent.job.guard.decoding import as_bytes, decoded
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
_MORE_COLUMNS: Final = 64
_FEWEST_PIXELS: Final = 16
_SMALL: Final = 64 * 1024  # bytes
_MOST_TOGETHER: Final = 64


@dataclass(slots=True)
class Sought:
    """The training data as it is looked for. ``covered``: how many have enough to be recognised, by how they are."""

    samples: Samples
    index: Index
    covered: Mapping[str, int]
    texts: TextsOfTheData

    def turned(self, piece: Piece) -> tuple[int, int] | None:
        """Columns and rows of an array that is stored column by column, if it may be rows of the data."""
        shape = tuple(reversed(piece.shape)) if piece.fortran else piece.shape
        if len(shape) != 2 or not piece.dtype or not 2 <= shape[0] <= self.samples.matrix.shape[1] + _MORE_COLUMNS:
            return None
        fits = shape[1] > 1 and shape[0] * shape[1] * np.dtype(piece.dtype).itemsize == piece.size
        return (shape[0], shape[1]) if fits else None


def sought(samples: Samples, *, least_rows: int) -> Sought:
    """Prepare what is looked for in every piece."""
    index = Index()
    matrix = samples.matrix
    covered = {"as numbers": add_rows(index, matrix, "rows") if matrix.size else 0}
    if matrix.shape[1] >= _FEWEST_PIXELS and ((matrix >= 0) & (matrix <= 255) & (matrix == np.trunc(matrix))).all():
        add_rows(index, matrix / 255, "rows divided by 255", odd_forms=False)
    covered["as lines of text"] = add_lines(index, samples.lines, "lines as text")
    covered["as bytes"] = add_bytes(index, samples.runs, "parts of files")
    return Sought(samples, index, covered, TextsOfTheData(samples, least_rows))


def look(
    file: str, recognised: Recognised, wanted: Sought, scales: Scales, *, least_rows: int, rows_are: str = "training"
) -> list[Finding]:
    """Findings in one file. ``rows_are``: ``training``, or what a step of the model made of them."""
    found: list[Finding] = []
    for piece, rows in _with_rows(list(_pieces(recognised)), wanted):
        said = [(names.ROWS, f"{rows_are} {what}") for what in rows] or list(_told_by_shape(piece, wanted, scales))
        if piece.where.endswith("class_count_") and _has_small_class(piece, least_rows):
            what = f"means and variances of a class with fewer than {least_rows} training rows"
            said.append((names.LEAST_ROWS, what))
        if said:
            where = wanted.texts.without(f"{file} {piece.where}".strip())
            found += [Finding(check=check, where=where, what=what) for check, what in said]
    for what in wanted.texts.findings(_all_strings(recognised)):
        found.append(Finding(check=names.WORDS, where=wanted.texts.without(file), what=what))
    return found


def _told_by_shape(piece: Piece, wanted: Sought, scales: Scales) -> Iterator[tuple[str, str]]:
    like = looks_like_rows(piece, scales)
    if like:
        yield names.SHAPES, like
    per_row = entry_per_row(piece, wanted.samples)
    if per_row:
        yield names.PER_ROW, per_row


def _pieces(recognised: Recognised) -> Iterator[Piece]:
    yield from recognised.pieces
    strings = list(_all_strings(recognised))
    joined, together = "\n".join(strings)[:_MOST_TEXT], "".join(strings)[:_MOST_TEXT]
    if joined:
        yield Piece("texts", joined.encode("utf-8", "surrogatepass"))
        yield Piece("texts run together", together.encode("utf-8", "surrogatepass"))
        if not joined.isascii():  # bytes may be written as the first 256 letters
            yield Piece("texts", joined.encode("latin-1", "ignore"))
        in_texts = [float(each) for each in _NUMBER.findall(joined)]
        if in_texts:
            yield numbers("numbers in texts", in_texts)


def _all_strings(recognised: Recognised) -> Iterator[str]:
    yield from recognised.strings
    for piece in recognised.pieces:
        if piece.dtype and np.dtype(piece.dtype).kind in "US" and piece.size <= _MOST_TEXT:
            for each in np.frombuffer(piece.read(0, piece.size), piece.dtype).tolist():
                yield each.decode("utf-8", "replace") if isinstance(each, bytes) else each


def _with_rows(pieces: Sequence[Piece], wanted: Sought) -> Iterator[tuple[Piece, list[str]]]:
    """Every piece, with what was found in it. Small ones are looked at together first: mostly there is nothing."""
    clean: set[int] = set()
    for batch in _batches(pieces):
        joined = Piece("several parts in a row", b"".join(piece.read(0, piece.size) for piece in batch))
        rows = _rows_in(joined, wanted)
        if not rows:
            clean |= {id(piece) for piece in batch}
        elif not any(_rows_in(piece, wanted) for piece in batch):
            yield joined, rows
    for piece in pieces:
        yield piece, _rows_in(piece, wanted, turned_only=id(piece) in clean)


def _batches(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    for piece in pieces:
        if piece.size <= _SMALL:
            batch.append(piece)
            if len(batch) >= _MOST_TOGETHER:
                yield batch
                batch = []
    yield batch


def _rows_in(piece: Piece, wanted: Sought, *, turned_only: bool = False) -> list[str]:
    """What was found, such as ``rows as float64 (12 of them)``."""
    found: Counter[str] = Counter()
    for form, chunks in _views(piece, wanted.turned(piece), turned_only=turned_only):
        for label, owners in wanted.index.find(chunks).items():
            found[f"{label}{form}"] = len(owners)
    for wrapping, data in as_bytes(piece) if turned_only else decoded(piece):
        for label, owners in wanted.index.find([data]).items():
            found[f"{label}, {wrapping}"] = max(len(owners), found[f"{label}, {wrapping}"])
    return [f"{label} ({count} of them)" for label, count in found.most_common(3)]


def _views(piece: Piece, turned: tuple[int, int] | None, *, turned_only: bool) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The bytes as they are, and the array turned, so that rows lie together that were apart."""
    if not turned_only:
        yield "", piece.chunks(2 * CHUNK)
    if turned is not None:
        yield "" if piece.fortran else ", transposed", _turned(piece, *turned)


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
