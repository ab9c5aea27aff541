"""Comparing two models on 100,000 rows: how long it takes, and that memory grows with no number of resamples.

Each measurement of memory is a process of its own (``python -m benchmarks.comparing ...``).
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks import peaks
from benchmarks.report import Row
from site_agent.job.statistics import compare

ROOT = Path(__file__).resolve().parent.parent
ROWS = 100_000
RESAMPLES = 2_000
FEW = 20  # resamples, of which even the draws of all at once fit into memory
REPETITIONS = 3
MOST_SECONDS = 1.0


def run() -> list[Row]:
    """The best of some repetitions, beside SciPy's bootstrap; then the memory of many resamples and of few."""
    peaks.check()
    challenger, champion = _losses()
    seconds, found = _best(challenger, champion)
    began = time.perf_counter()
    theirs = stats.bootstrap(
        (challenger - champion,),
        np.mean,
        n_resamples=RESAMPLES,
        method="percentile",
        batch=50,
        rng=np.random.default_rng(1),
    ).confidence_interval
    scipy_seconds = time.perf_counter() - began
    width = found["high"] - found["low"]
    assert abs(found["low"] - theirs.low) + abs(found["high"] - theirs.high) < 0.1 * width, (
        f"{found} is another interval than SciPy's {theirs}"
    )
    peak = {(how, count): _peak(how, count) for how, count in (("ours", RESAMPLES), ("ours", FEW), ("at_once", FEW))}
    at_once = peak["at_once", FEW] - peak["ours", FEW]
    assert at_once > FEW * ROWS * 8 / 1e6 / 2, f"drawing {FEW} resamples at once does not show: {peak}"
    growth = peak["ours", RESAMPLES] - peak["ours", FEW]
    return [
        Row(
            what=f"interval of two models' difference on {ROWS:,} rows, {RESAMPLES:,} resamples",
            ours=f"{seconds:.2f} s",
            baseline=f"at most {MOST_SECONDS:g} s",
            ratio=seconds / MOST_SECONDS,
            goal=1.0,
            remark=f"SciPy takes {scipy_seconds:.1f} s for the same interval without the correction for bias",
        ),
        Row(
            what=f"growth of its peak memory from {FEW} to {RESAMPLES:,} resamples",
            ours=f"{growth:.1f} MB",
            baseline=f"{at_once:.0f} MB for {FEW} at once",
            ratio=max(growth, 0) / at_once,
            goal=0.1,
        ),
    ]


def _losses() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    champion = rng.exponential(size=ROWS)
    return champion * rng.lognormal(0, 0.3, ROWS) - 0.01, champion


def _best(challenger: NDArray[np.float64], champion: NDArray[np.float64]) -> tuple[float, dict[str, float]]:
    taken = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        found = compare(challenger, champion, resamples=RESAMPLES, seed=1)
        taken.append(time.perf_counter() - began)
    assert (found["rows"], found["resamples"], found["method"]) == (ROWS, RESAMPLES, "bca"), "another job was measured"
    return min(taken), found


def _peak(how: str, resamples: int) -> float:
    command = [sys.executable, "-m", "benchmarks.comparing", how, str(resamples)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def main() -> None:
    """One measurement; prints the peak memory of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparing", description=main.__doc__)
    parser.add_argument("how", choices=["ours", "at_once"])
    parser.add_argument("resamples", type=int)
    options = parser.parse_args()
    challenger, champion = _losses()
    if options.how == "ours":
        compare(challenger, champion, resamples=options.resamples, seed=1)
    else:
        compare(challenger, champion, resamples=1, seed=1)
        drawn = np.random.default_rng(1).integers(0, ROWS, (options.resamples, ROWS))
        assert np.isfinite((challenger - champion)[drawn].mean(axis=1)).all()
    print(json.dumps(peaks.peak_megabytes()))


if __name__ == "__main__":
    main()
