"""Which parts of training rows are looked for: enough consecutive columns that nothing honest has the same by chance.

A window is taken in every form in which programs store numbers: double and single precision, whole numbers of four
sizes, big-endian, and in reverse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from site_agent.job.guard.fingerprints import Index

Matrix = NDArray[np.float64]

BITS: Final = 28.0  # of information that a window should have
_FEWEST_BITS: Final = 20.0
_MEASURED: Final = 10.0
_FEWEST_COLUMNS: Final = 3
_FEWEST_VALUES: Final = 3  # distinct ones, besides -1, 0 and 1, which stand in any model
_MOST_BLOCKS: Final = 3
_SMALL_TABLE: Final = 12  # columns; below, a label among them is in most blocks
_MOST_COLUMNS_OF_A_WINDOW: Final = 400
_MOST_IN_ODD_FORMS: Final = 4_000
TEXT_LENGTHS: Final = (24, 12)
_FEWEST_LETTERS: Final = 7
_FEWEST_BYTES: Final = 16  # of whole numbers; fewer stand in any file
_BINARY: Final = 32  # bytes


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive columns. ``anchor``: the one that differs most, counted from the first of them."""

    columns: NDArray[np.int64]
    anchor: int


def surprise(matrix: Matrix) -> Matrix:
    """How telling each value is, in bits: minus the logarithm of its share in its column.

    In a small table that says little of measurements, whose digits tell more; they count as :data:`_MEASURED` at least.
    """
    result = np.zeros(matrix.shape)
    for column in range(matrix.shape[1]):
        values, inverse, counts = np.unique(matrix[:, column], return_inverse=True, return_counts=True, equal_nan=True)
        result[:, column] = np.log2(len(matrix) / counts)[inverse]
        fractions = values != np.trunc(values)
        if 2 * len(values) >= len(matrix) and 2 * fractions.sum() >= len(values):
            result[:, column] = np.where(
                fractions[inverse], np.maximum(result[:, column], _MEASURED), result[:, column]
            )
    return result


def blocks_of(bits: Sequence[float]) -> list[tuple[int, int]]:
    """Begin and end of up to three groups of consecutive columns that have enough bits together, spread evenly."""
    found: list[tuple[int, int]] = []
    begin, total = 0, 0.0
    for column, each in enumerate(bits):
        total += each
        if (total >= BITS and column + 1 - begin >= _FEWEST_COLUMNS) or column + 1 - begin >= _MOST_COLUMNS_OF_A_WINDOW:
            found.append((begin, column + 1))
            begin, total = column + 1, 0.0
    if not found and sum(bits) >= _FEWEST_BITS and len(bits) >= _FEWEST_COLUMNS:
        found = [(0, len(bits))]
    if len(found) <= _MOST_BLOCKS:
        return found
    return [found[0], found[len(found) // 2], found[-1]]


def add_rows(index: Index, matrix: Matrix, label: str, *, odd_forms: bool = True) -> int:
    """Add the rows of a table of numbers; returns how many have enough information to be looked for.

    ``odd_forms``: look for some of them as whole numbers, big-endian and in reverse too.
    """
    rows, columns = matrix.shape
    if rows < 2 or columns < _FEWEST_COLUMNS:
        return 0
    bits = surprise(matrix)
    variants = [np.arange(columns)]
    if _FEWEST_COLUMNS < columns <= _SMALL_TABLE:  # models hold rows without the label, which is mostly at an end
        variants = [np.arange(columns - 1), np.arange(1, columns)]
    seen: set[tuple[int, int]] = set()
    covered = np.zeros(rows, np.bool_)
    for variant in variants:
        for begin, end in blocks_of(bits[:, variant].mean(axis=0).tolist()):
            chosen = variant[begin:end]
            key = (int(chosen[0]), int(chosen[-1]))
            if key not in seen:
                seen.add(key)
                anchor = int(bits[:, chosen].mean(axis=0).argmax())
                covered |= _add_block(
                    index, matrix, bits, _Block(chosen, anchor), label, odd_forms=odd_forms and len(seen) == 1
                )
    return int(covered.sum())


def _add_block(
    index: Index, matrix: Matrix, bits: Matrix, block: _Block, label: str, *, odd_forms: bool
) -> NDArray[np.bool_]:
    values = np.ascontiguousarray(matrix[:, block.columns])
    enough: NDArray[np.bool_] = bits[:, block.columns].sum(axis=1) >= _FEWEST_BITS
    telling = enough & (_distinct(values) >= _FEWEST_VALUES)
    owners = np.flatnonzero(telling)
    values = values[telling]
    if not len(values):
        return telling
    with np.errstate(over="ignore", invalid="ignore"):
        forms: list[tuple[str, Any]] = [("float64", "<f8"), ("float32", "<f4")]
        for name, dtype in forms:
            _add(index, f"{label} as {name}", values.astype(dtype), owners, block.anchor)
        if odd_forms:
            few = slice(None, None, max(1, len(values) // _MOST_IN_ODD_FORMS))
            _add_odd_forms(index, values[few], owners[few], block.anchor, label)
            _add_short_numbers(index, matrix[telling][few], block, owners[few], label)
    return telling


def _add_odd_forms(index: Index, values: Matrix, owners: NDArray[np.int64], anchor: int, label: str) -> None:
    width = values.shape[1]
    for name, little, big in (("float64", "<f8", ">f8"), ("float32", "<f4", ">f4")):
        back = values[:, ::-1]
        _add(index, f"{label} as {name}, big-endian", values.astype(big), owners, anchor)
        _add(index, f"{label} as {name}, in reverse", back.astype(little), owners, width - 1 - anchor)
        _add(index, f"{label} as {name}, its bytes in reverse", back.astype(big), owners, width - 1 - anchor)


def _add_short_numbers(index: Index, rows: Matrix, block: _Block, owners: NDArray[np.int64], label: str) -> None:
    """Whole numbers, and half precision, take little room: as many columns as make sixteen bytes."""
    begin = int(block.columns[0])
    for name in ("int64", "int32", "int16", "uint8", "float16"):
        end = max(int(block.columns[-1]) + 1, begin + _FEWEST_BYTES // np.dtype(name).itemsize)
        values = rows[:, begin:end]
        if end <= rows.shape[1] and (name == "float16" or _fits(values, name)):
            _add(index, f"{label} as {name}", values.astype(name), owners, block.anchor)


def _fits(values: Matrix, name: str) -> bool:
    limits = np.iinfo(name)
    whole = np.array_equal(values, np.trunc(values))
    return whole and bool(values.min() >= limits.min) and bool(values.max() <= limits.max)


def _add(index: Index, label: str, values: NDArray[Any], owners: NDArray[np.int64], anchor: int) -> None:
    size = values.dtype.itemsize
    data = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    # The second half of the anchor must tell: in double precision it is that of the value with sign, exponent and the
    # first digits, which big-endian numbers begin with; the other half is zero for round numbers.
    at = anchor * size - (4 if size == 4 or (size == 8 and values.dtype.byteorder == ">") else 0)
    index.add(label, data, owners, min(max(at, 0), data.shape[1] - 8))


def _distinct(values: Matrix) -> NDArray[np.int64]:
    """How many different values each row has, besides -1, 0, 1 and missing ones."""
    usual = np.isin(values, (-1.0, 0.0, 1.0)) | np.isnan(values)
    ordered = np.sort(np.where(usual, np.inf, values), axis=1)
    steps = (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1) + 1
    found: NDArray[np.int64] = (steps - usual.any(axis=1)).astype(np.int64)
    return found


def add_lines(index: Index, lines: Sequence[bytes], label: str) -> int:
    """Add lines of text, their beginning and their middle; returns how many are long enough."""
    covered: set[int] = set()
    for length, shorter in zip(TEXT_LENGTHS, (1 << 30, TEXT_LENGTHS[0]), strict=True):
        chosen = [(number, line) for number, line in enumerate(lines) if length <= len(line) < shorter]
        few = chosen[:: max(1, len(chosen) // _MOST_IN_ODD_FORMS)]
        for name, parts in (
            ("", [(number, line[:length]) for number, line in chosen]),
            (", their middle", [(number, line[len(line) // 2 :][:length]) for number, line in chosen]),
            (", in reverse", [(number, line[::-1][:length]) for number, line in few]),
        ):
            covered |= _add_texts(index, f"{label}{name}", parts, length)
    return len(covered)


def _add_texts(index: Index, label: str, parts: list[tuple[int, bytes]], length: int) -> set[int]:
    parts = [(number, part) for number, part in parts if len(part) == length and len(set(part)) >= _FEWEST_LETTERS]
    if parts:
        windows = np.frombuffer(b"".join(part for _, part in parts), np.uint8).reshape(-1, length)
        index.add(label, windows, np.array([number for number, _ in parts], np.int64), length // 2 - 4)
    return {number for number, _ in parts}


def add_bytes(index: Index, parts: Sequence[tuple[int, bytes]], label: str) -> int:
    """Add runs of bytes of files of any kind; returns how many files are covered."""
    good = [(number, part) for number, part in parts if len(part) == _BINARY and len(set(part)) >= _BINARY // 3]
    if good:
        windows = np.frombuffer(b"".join(part for _, part in good), np.uint8).reshape(-1, _BINARY)
        owners = np.array([number for number, _ in good], np.int64)
        index.add(label, windows, owners, _BINARY // 2)
        few = slice(None, None, max(1, len(good) // _MOST_IN_ODD_FORMS))
        index.add(f"{label}, in reverse", windows[few, ::-1], owners[few], _BINARY // 2 - 4)
    return len({number for number, _ in good})


WINDOW_OF_BYTES: Final = _BINARY
