"""The numbers that may leave: few, finite, rounded, under names that are words.

What a script could hide in them is bounded: a value has a sign, six digits and an exponent, 31 bits; a name has
up to 64 characters of 64 kinds, 384 bits. docs/privacy.md has :data:`BITS_OF_A_VALUE` and :data:`BITS_OF_A_NAME`.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from site_agent.job.failures import TrainingError
from site_agent.job.guard.files import small_file, walk

FILE: Final = "metrics.json"
DIGITS: Final = 6
BITS_OF_A_VALUE: Final = math.ceil(math.log2(2 * 9 * 10 ** (DIGITS - 1) * (308 + 324)))
BITS_OF_A_NAME: Final = 64 * 6
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_MOST_DIGITS_IN_A_NAME: Final = 6
_LARGEST: Final = 1024 * 1024
_LONGEST_HISTORY: Final = 8192
_MOST_FILES: Final = 2000


@dataclass(frozen=True, slots=True)
class Metrics:
    """``numbers`` by name, rounded; ``left_out``: how many were not taken."""

    numbers: Mapping[str, float]
    left_out: int = 0


def is_name(name: Any) -> bool:
    """Whether a metric may be called like this: a word with few digits, which no row of data is."""
    return (
        isinstance(name, str)
        and _NAME.fullmatch(name) is not None
        and sum(letter.isdigit() for letter in name) <= _MOST_DIGITS_IN_A_NAME
    )


def rounded(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.{DIGITS}g}")


def read_metrics(evaluation: Path, training: Path | None, *, judged: str, most: int) -> Metrics:
    """The metrics of an evaluation: ``metrics.json``, and what MLflow logged to a folder in either container.

    Raises :class:`TrainingError` when there are none, one is no number, or the judged one is missing.
    """
    own = _own(evaluation)
    logged, left_out = _logged([folder / "mlruns" for folder in (training, evaluation) if folder is not None])
    numbers = logged | own
    if not numbers:
        raise TrainingError("evaluation wrote no metrics.json, and logged no metrics with MLflow")
    if judged and judged not in numbers:
        # Not named: names are the script's, and nothing has looked at them yet.
        raise TrainingError(
            f"evaluation has no metric {judged}, which the pipeline is judged by; it has {len(numbers)} others"
        )
    order = sorted(numbers, key=lambda name: (name != judged, name not in own, name))
    kept = {name: rounded(numbers[name]) for name in sorted(order[:most])}
    return Metrics(kept, left_out + len(numbers) - len(kept))


def checked(document: Any, *, of: str) -> dict[str, float]:
    """A flat object of finite numbers; raises :class:`TrainingError`, which does not quote names that may be data."""
    if not isinstance(document, dict):
        raise TrainingError(f"{of} must be one JSON object with a number by name")
    for place, (name, value) in enumerate(document.items(), start=1):
        if not is_name(name):
            words = "letters, digits, _ . and -, beginning with a letter, at most 64 with at most 6 digits"
            raise TrainingError(f"the name of metric {place} in {of} must be made of {words}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise TrainingError(f"metric {place} in {of} must be a finite number")
    return {name: float(value) for name, value in document.items()}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _own(evaluation: Path) -> dict[str, float]:
    try:
        text = small_file(evaluation, FILE, most=_LARGEST)
        document = {} if text is None else json.loads(text)
    except (ValueError, RecursionError, OSError):
        raise TrainingError(f"{FILE} of the evaluation is not a JSON file below 1 MiB") from None
    return checked(document, of=FILE)


def _logged(folders: list[Path]) -> tuple[dict[str, float], int]:
    """Metrics of MLflow's file store (``mlruns/EXPERIMENT/RUN/metrics/NAME``), and nothing else of it."""
    latest: dict[str, tuple[int, float]] = {}
    left_out = 0
    for folder in folders:
        for entry in walk(folder, most=_MOST_FILES) if folder.is_dir() and not folder.is_symlink() else ():
            parts = entry.name.split("/")
            if len(parts) < 4 or parts[2] != "metrics":
                continue
            found = None if entry.trouble or len(parts) != 4 else _last_value(entry.open())
            if found is None or not is_name(parts[3]):
                left_out += 1
            elif found >= latest.get(parts[3], (-1, 0.0)):
                latest[parts[3]] = found
    return {name: value for name, (_, value) in latest.items()}, left_out


def _last_value(descriptor: int) -> tuple[int, float] | None:
    """When a metric was last logged, and its value; lines are ``milliseconds value step``."""
    try:
        size = os.fstat(descriptor).st_size
        text = os.pread(descriptor, _LONGEST_HISTORY, max(0, size - _LONGEST_HISTORY))
        when, value, *_ = text.split(b"\n")[-2 if text.endswith(b"\n") else -1].split(b" ")
        found = int(when), float(value)
    except (ValueError, IndexError, OSError):
        return None
    finally:
        os.close(descriptor)
    return found if math.isfinite(found[1]) else None
