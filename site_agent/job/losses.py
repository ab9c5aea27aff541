"""The losses that an evaluation wrote, one for each row of the hold-out; they stay on the VM."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from site_agent.job.failures import TrainingError
from site_agent.job.folders import read_small

FILE: Final = "rows.csv"
_LOSS, _SLICE = "loss", "slice"
_LARGEST: Final = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Losses:
    """``values``: lower is better. ``slices``: the name of each row's slice, or none."""

    values: NDArray[np.float64]
    slices: tuple[str, ...] | None


def read_losses(evaluation: Path) -> Losses | None:
    """The losses of ``rows.csv``, None without one; raises :class:`TrainingError` naming the first wrong line."""
    try:
        content = read_small(evaluation / FILE, most=_LARGEST)
    except ValueError:
        raise TrainingError(f"{FILE} of the evaluation is no file below {_LARGEST // 1024**2} MiB") from None
    if content is None:
        return None
    try:
        rows: Any = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [title.strip() for title in next(rows, [])]
        if header not in ([_LOSS], [_LOSS, _SLICE]):
            raise TrainingError(f"{FILE} of the evaluation must begin with the header loss, or loss,slice")
        return _read(rows, len(header))
    except (UnicodeDecodeError, csv.Error):
        raise TrainingError(f"{FILE} of the evaluation is not CSV in UTF-8") from None


def _read(rows: Any, columns: int) -> Losses:
    values: list[float] = []
    slices: list[str] = []
    for row in rows:
        try:
            values.append(float(row[0]))
            slices.append(row[1] if columns > 1 else "")
            complete = len(row) == columns
        except (ValueError, IndexError):
            complete = False
        if not complete:
            raise TrainingError(f"line {rows.line_num} of {FILE} of the evaluation is not a loss, or has other columns")
    return Losses(np.asarray(values, dtype=np.float64), tuple(slices) if columns > 1 else None)
