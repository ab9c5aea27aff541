"""How long the egress guard looks at a model, and how much memory it needs for it.

    python -m benchmarks --only egress_guard

The baseline is reading and copying the same bytes with their SHA-256, which any guard would do. Each measurement is
checked: the honest model must leave, and the same model with one training row at a random place must not.
"""

import hashlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import peaks
from benchmarks.report import Row

ROOT = Path(__file__).resolve().parents[1]
MEGABYTES = 200
ROWS, COLUMNS = 5_000, 30
REPETITIONS = 3
MOST_SECONDS = 3.0
MOST_MEGABYTES = 300.0
_CHUNK = 1 << 20


def run() -> list[Row]:
    """Measure both; about half a minute."""
    peaks.check()
    with TemporaryDirectory(prefix="egress-guard-") as folder:
        place = Path(folder)
        table = _training_data(place / "data")
        honest, caught = place / "honest", place / "caught"
        _model(honest, hidden=None)
        _model(caught, hidden=table[ROWS // 2])
        measured = [_guarded(place, honest, f"outputs {number}") for number in range(REPETITIONS)]
        assert all("model/weights.npy" in each["outcome"] for each in measured), measured
        assert "training_rows" in _guarded(place, caught, "refused")["outcome"], "a row in the model was not found"
        copied = statistics.median(_copied(honest / "weights.npy", place / "copy") for _ in range(REPETITIONS))
    return [_seconds(measured, copied), _memory(measured)]


def _seconds(measured: list[dict[str, Any]], copied: float) -> Row:
    seconds = statistics.median(each["seconds"] for each in measured)
    used = statistics.median(each["cpu"] for each in measured)
    return Row(
        what=f"egress guard on a model of {MEGABYTES} MB, {ROWS:,} training rows, against {MOST_SECONDS:g} s",
        ours=f"{seconds:.2f} s",
        baseline=f"at most {MOST_SECONDS:g} s",
        ratio=seconds / MOST_SECONDS,
        goal=1.0,
        remark=f"{used:.2f} s of CPU; copying the same bytes with their digest takes {copied:.2f} s",
    )


def _memory(measured: list[dict[str, Any]]) -> Row:
    peak = max(each["megabytes"] for each in measured)
    return Row(
        what="its peak memory",
        ours=f"{peak:.0f} MB",
        baseline=f"at most {MOST_MEGABYTES:g} MB",
        ratio=peak / MOST_MEGABYTES,
        goal=1.0,
    )


def _training_data(folder: Path) -> np.ndarray[Any, Any]:
    folder.mkdir()
    table = np.random.default_rng(1).normal(10, 3, (ROWS, COLUMNS)).round(3)
    lines = [",".join(map(repr, row)) for row in table.tolist()]
    header = ",".join(f"m{number}" for number in range(COLUMNS))
    (folder / "rows.csv").write_text("\n".join([header, *lines]) + "\n")
    return table


def _model(folder: Path, *, hidden: np.ndarray[Any, Any] | None) -> None:
    folder.mkdir()
    random = np.random.default_rng(2)
    weights = random.normal(size=MEGABYTES * 1_000_000 // 8)
    if hidden is not None:
        at = int(random.integers(len(weights) - COLUMNS))
        weights[at : at + COLUMNS] = hidden
    np.save(folder / "weights.npy", weights.reshape(-1, 1000))


def _guarded(place: Path, model: Path, outputs: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.guard_once", str(place / "data"), str(model), str(place / outputs)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _copied(source: Path, target: Path) -> float:
    start = time.perf_counter()
    digest = hashlib.sha256()
    with source.open("rb") as file, target.open("wb") as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    return time.perf_counter() - start
