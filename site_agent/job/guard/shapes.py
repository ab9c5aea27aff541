"""Arrays that look like training rows although none is in them as it is: scaled, transposed, an entry for each row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from site_agent.job.guard.pieces import Piece
from site_agent.job.guard.samples import Samples
from site_agent.job.guard.windows import Matrix

FEWEST_ROWS: Final = 10
_TESTED_ROWS: Final = 24
_MOST_REFERENCE: Final = 20_000
_MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_TESTS: Final = 400
_NEAR: Final = 0.1  # of the usual distance of a row to its nearest neighbour
_FEWEST_DISTINCT: Final = 10
_FLOATS: Final = ("f",)


@dataclass(slots=True)
class Scales:
    """The training rows, and how near they are to each other, in every scale that programs usually bring them to."""

    forms: list[tuple[str, Matrix, float]] = field(default_factory=list)
    telling: Matrix = field(default_factory=lambda: np.empty(0))
    """Values that are not whole numbers, sorted: a column of them is a column of the data."""
    share: float = 1.0
    rows: int = 0
    tests: int = 0


def scales_of(samples: Samples) -> Scales:
    """Bring the rows to the usual scales once."""
    matrix = samples.matrix
    found = Scales(rows=samples.rows)
    if matrix.shape[1] < 2 or len(matrix) < FEWEST_ROWS:
        return found
    step = max(1, len(matrix) // _MOST_REFERENCE)
    found.share = 1 / (step * samples.every)
    flat = matrix[np.isfinite(matrix)]
    found.telling = np.unique(flat[flat != np.trunc(flat)])
    few = np.where(np.isnan(matrix[::step]), np.nanmean(matrix, axis=0), matrix[::step])
    for name, form in _forms(few, matrix):
        spread = form.std(axis=0)
        used = spread > 0
        if used.sum() >= 2:
            usual = _usual_distance(form[:, used] / spread[used])
            if usual > 0:
                found.forms.append((name, form, usual))
    return found


def _forms(few: Matrix, matrix: Matrix) -> Iterator[tuple[str, Matrix]]:
    with np.errstate(all="ignore"):
        centre, spread = np.nanmean(matrix, axis=0), np.nanstd(matrix, axis=0)
        least, most = np.nanmin(matrix, axis=0), np.nanmax(matrix, axis=0)
        quarters = np.nanpercentile(matrix, (25, 50, 75), axis=0)
        yield "as it is", few
        yield "centred", few - centre
        yield "standardised", _divided(few - centre, spread)
        yield "scaled to 0 and 1", _divided(few - least, most - least)
        yield "divided by the largest", _divided(few, np.maximum(np.abs(least), np.abs(most)))
        yield "scaled by quartiles", _divided(few - quarters[1], quarters[2] - quarters[0])
        yield "of length 1", _divided(few, np.linalg.norm(few, axis=1, keepdims=True))
        if (least > -1).all():
            yield "as logarithms", np.log1p(few)


def _divided(values: Matrix, by: Matrix) -> Matrix:
    return values / np.where(by > 0, by, 1.0)


def _usual_distance(form: Matrix) -> float:
    """The median distance of a row to the nearest other one."""
    some = form[:: max(1, len(form) // 64)]
    distances = _distances(some, form)
    distances[distances < 1e-9] = np.inf  # itself, and rows that stand twice
    nearest = distances.min(axis=1)
    nearest = nearest[np.isfinite(nearest)]
    return float(np.median(nearest)) if len(nearest) else 0.0


def _distances(some: Matrix, form: Matrix) -> Matrix:
    squares = (some**2).sum(axis=1)[:, None] + (form**2).sum(axis=1) - 2 * some @ form.T
    found: Matrix = np.sqrt(np.maximum(squares, 0))
    return found


def looks_like_rows(piece: Piece, scales: Scales) -> str:
    """Why an array looks like rows of the data, in another scale or transposed; empty when it does not."""
    if not piece.dtype or np.dtype(piece.dtype).kind not in _FLOATS or not scales.forms:
        return ""
    for values in _as_rows(piece, scales.forms[0][1].shape[1]):
        copied = _copied_columns(values, scales)
        if copied:
            return f"{copied} of its columns are columns of the data"
        scale = _scaled_rows(values, scales)
        if scale:
            return f"its rows are those of the data, {scale}"
    return ""


def _as_rows(piece: Piece, columns: int) -> Iterator[Matrix]:
    """The array, or a part of it, with rows as wide as the data, or without one column; transposed too."""
    size = np.dtype(piece.dtype).itemsize
    widths = [width for width in (columns, columns - 1) if width >= 2]
    if piece.size // size < 2 * FEWEST_ROWS:
        return
    flat = np.frombuffer(piece.read(0, min(_MOST_BYTES, piece.size) // size * size), piece.dtype).astype(np.float64)
    whole = len(flat) * size == piece.size
    shape = tuple(reversed(piece.shape)) if piece.fortran else piece.shape
    for width in widths:
        if (len(shape) >= 2 and shape[-1] == width) or (len(shape) < 2 and piece.size // size % width == 0):
            yield from _if_enough(flat[: len(flat) // width * width].reshape(-1, width))
        if whole and ((len(shape) >= 2 and shape[0] == width) or (len(shape) < 2 and len(flat) % width == 0)):
            yield from _if_enough(flat.reshape(width, -1).T)


def _if_enough(values: Matrix) -> Iterator[Matrix]:
    if len(values) >= FEWEST_ROWS:
        yield values


def _copied_columns(values: Matrix, scales: Scales) -> int:
    """How many columns have nothing but values of the data, at least two and half of those that could tell."""
    if not len(scales.telling) or scales.share < 1:
        return 0
    telling = copied = 0
    for column in values.T:
        distinct = np.unique(column[column != np.trunc(column)])[:2000]
        if len(distinct) < _FEWEST_DISTINCT:
            continue
        telling += 1
        places = np.minimum(np.searchsorted(scales.telling, distinct), len(scales.telling) - 1)
        copied += bool((scales.telling[places] == distinct).mean() > 0.95)
    return copied if copied >= 2 and 2 * copied >= telling else 0


def _scaled_rows(values: Matrix, scales: Scales) -> str:
    some = values[:: max(1, len(values) // _TESTED_ROWS)][:_TESTED_ROWS]
    some = some[np.isfinite(some).all(axis=1)]
    columns = scales.forms[0][1].shape[1]
    for name, form, usual in scales.forms:
        for chosen in _columns(columns, values.shape[1]):
            if len(some) >= FEWEST_ROWS and _are_near(some, form[:, chosen], usual, scales):
                return name
    return ""


def _columns(columns: int, width: int) -> Iterator[slice]:
    if width == columns:
        yield slice(None)
    else:
        yield slice(None, -1)
        yield slice(1, None)


def _are_near(some: Matrix, form: Matrix, usual: float, scales: Scales) -> bool:
    """Whether many of the rows are rows of the data: much nearer to one than rows of the data are to each other."""
    spread = form.std(axis=0)
    used = spread > 0
    margin = 0.1 * (form.max(axis=0) - form.min(axis=0)) + 1e-12
    inside = (some >= form.min(axis=0) - margin) & (some <= form.max(axis=0) + margin)
    if used.sum() < 2 or inside.mean() < 0.9 or scales.tests >= _MOST_TESTS:
        return False
    scales.tests += 1
    nearest = _distances(some[:, used] / spread[used], form[:, used] / spread[used]).min(axis=1)
    near = int((nearest < _NEAR * usual).sum())
    return near >= max(5, 0.5 * scales.share * len(some))


def entry_per_row(piece: Piece, samples: Samples) -> str:
    """Why an array tells something of each row: it has as many entries as there are rows. Empty when it does not."""
    rows = samples.rows
    listed = piece.where.endswith("numbers")  # all numbers of a file in a row, whose count means nothing
    if not piece.dtype or listed or rows not in piece.shape or rows < 2 * FEWEST_ROWS:
        return ""
    if np.dtype(piece.dtype).kind not in "fiub":  # texts are looked at as texts
        return ""
    values = np.frombuffer(piece.read(0, _MOST_BYTES // 8 * 8), piece.dtype)
    if len(piece.shape) == 1 and samples.every == 1 and len(values) == len(samples.matrix):
        for column in samples.matrix.T:
            if _follows(values, column):
                return "it is a column of the data, row by row"
    if values.dtype.kind != "f" or len(np.unique(values[:4096])) <= 2 * FEWEST_ROWS or _is_usual_size(rows):
        return ""
    return f"it has an entry for each of the {rows} training rows"


def _follows(values: Matrix, column: Matrix) -> bool:
    """Whether one is the other, or in proportion to it."""
    known = np.isfinite(column)
    one, other = values[known].astype(np.float64), column[known]
    if len(one) < FEWEST_ROWS or one.std() == 0 or other.std() == 0 or not np.isfinite(one).all():
        return False
    return bool(abs(np.corrcoef(one, other)[0, 1]) > 0.9999)


def _is_usual_size(rows: int) -> bool:
    """Whether people choose such a number for layers and ensembles, so that an array of this length says nothing."""
    return rows <= 2000 and (rows % 10 == 0 or rows & (rows - 1) == 0)
