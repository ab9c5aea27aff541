"""Compares two models by their losses on the same hold-out rows: how large the difference is, and how sure that is.

The losses stay on the VM. What leaves is the result of :func:`compare`: an interval and counts.

- The interval is a paired bootstrap of the mean difference: rows are drawn again with both losses of each, so that what
  makes a row hard for both models cancels out. BCa (Efron, "Better Bootstrap Confidence Intervals", 1987) corrects it
  for bias and skewness; where that is undefined, it is the plain percentile interval, and ``method`` says so.
- For losses that are 0 or 1, McNemar's test, exact: of the rows that only one model gets wrong, is it either's turn as
  often as a coin would have it?
- The slice of rows on which the challenger does worst against the champion.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Losses = NDArray[np.float64]

LARGEST = 1e150  # of a loss; sums and differences of such are finite
LEAST_ROWS = 20  # of a slice that is told, and of those outside of it: a mean over a few rows is nearly a row
MOST_NEEDED = 10**12  # rows; a larger number helps nobody
_DRAWS = 1 << 16  # rows drawn at once, of one resample or of several; they fit into the processor's cache

_NORMAL = NormalDist()


def compare(
    challenger_losses: ArrayLike,
    champion_losses: ArrayLike,
    slices: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int,
    least_rows: int = LEAST_ROWS,
) -> dict[str, Any]:
    """Compare two models row by row; lower losses are better. ``slices``: one name for each row, or none.

    Returns what JSON can hold, with differences of the challenger's losses minus the champion's::

        {"rows": N, "difference": mean, "low": ..., "high": ..., "level": 0.95, "resamples": 2000,
         "method": "bca" | "percentile",
         "mcnemar": null | {"only_champion_wrong": b, "only_challenger_wrong": c, "p": ...},
         "worst_slice": null | {"name": ..., "rows": ..., "difference": ...},
         "rows_needed": null | M}

    ``rows_needed``: about how many rows would tell the models apart, when the interval holds 0 and they do differ.
    The same input and seed give the same result. Raises ``ValueError``, naming the cause, for losses that cannot be
    compared.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level must be between 0 and 1, not {level}")
    if resamples < 1:
        raise ValueError(f"there must be at least one resample, not {resamples}")
    challenger, champion = _losses(challenger_losses, "challenger"), _losses(champion_losses, "champion")
    _require_pairs(challenger, champion, slices)
    differences = challenger - champion
    mean, low, high, method = _interval(differences, level=level, resamples=resamples, seed=seed)
    return {
        "rows": len(differences),
        "difference": mean,
        "low": low,
        "high": high,
        "level": level,
        "resamples": resamples,
        "method": method,
        "mcnemar": _mcnemar(challenger, champion),
        "worst_slice": None if slices is None else _worst_slice(differences, slices, least_rows),
        "rows_needed": _rows_needed(len(differences), mean, low, high),
    }


def _losses(given: ArrayLike, whose: str) -> Losses:
    losses = np.asarray(given, dtype=np.float64)
    if losses.ndim != 1:
        raise ValueError(f"the {whose}'s losses must be one number for each row")
    if not np.isfinite(losses).all():
        faulty = int(np.count_nonzero(~np.isfinite(losses)))
        raise ValueError(f"{faulty} of the {whose}'s {len(losses)} losses are not finite numbers")
    if len(losses) and max(abs(losses.min()), abs(losses.max())) > LARGEST:
        raise ValueError(f"the {whose}'s losses have numbers of more than 150 digits, too large to compute with")
    return losses


def _require_pairs(challenger: Losses, champion: Losses, slices: Sequence[str] | None) -> None:
    if len(challenger) != len(champion):
        raise ValueError(
            f"the challenger has losses of {len(challenger)} rows and the champion of {len(champion)};"
            " both must have one for each row of the hold-out, in its order"
        )
    if len(challenger) < 2:
        raise ValueError(f"two rows at least are needed to compare models, not {len(challenger)}")
    if slices is not None and len(slices) != len(challenger):
        raise ValueError(f"there are slices for {len(slices)} rows, and losses for {len(challenger)}")


def _interval(differences: Losses, *, level: float, resamples: int, seed: int) -> tuple[float, float, float, str]:
    """The mean difference, the ends of its interval, and the method that they are from."""
    scale = _power_of_two(differences)
    scaled = differences / scale  # at most 1, so that no square or cube is too large or too small; exact
    mean = float(scaled.mean())
    means = _resampled_means(scaled, resamples, seed)
    tails = (1 - level) / 2
    corrected = _bca(scaled, mean, means, tails)
    low, high = np.quantile(means, corrected or (tails, 1 - tails))
    return mean * scale, float(low) * scale, float(high) * scale, "bca" if corrected else "percentile"


def _power_of_two(differences: Losses) -> float:
    """One that is larger than every difference, and by a factor of 2 at most; 1 when all are 0."""
    largest = float(np.abs(differences).max())
    return math.ldexp(1.0, max(math.frexp(largest)[1], -1021)) if largest else 1.0


def _resampled_means(values: Losses, resamples: int, seed: int) -> Losses:
    """The mean of each resample. What is held at once grows neither with the rows nor with the resamples."""
    rng = np.random.default_rng(seed)
    rows = len(values)
    sums = np.empty(resamples)
    drawn = np.empty(_DRAWS)
    together = max(1, _DRAWS // rows)
    for first in range(0, resamples, together):
        block = sums[first : first + together]
        block[:] = 0
        for begin in range(0, rows, _DRAWS):
            size = (len(block), min(_DRAWS, rows - begin))
            into = drawn[: size[0] * size[1]].reshape(size)
            # No index is out of range; asked to clip, numpy writes to `into` without a copy in between.
            block += np.take(values, rng.integers(0, rows, size), mode="clip", out=into).sum(axis=1)
    return sums / rows


def _bca(values: Losses, mean: float, means: Losses, tails: float) -> tuple[float, float] | None:
    """The quantiles of the resampled means to take for the ends; None when the correction is undefined."""
    below = float(np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * len(means))
    deviations = values - mean
    squares = float(np.square(deviations).sum())
    if not 0 < below < 1 or squares == 0:
        return None
    # The jackknife's estimates of a mean are linear in the rows, so they need not be computed.
    acceleration = float(np.power(deviations, 3).sum()) / (6 * squares**1.5)
    bias = _NORMAL.inv_cdf(below)
    low, high = (_corrected(bias, acceleration, _NORMAL.inv_cdf(quantile)) for quantile in (tails, 1 - tails))
    return (low, high) if low is not None and high is not None else None


def _corrected(bias: float, acceleration: float, z: float) -> float | None:
    denominator = 1 - acceleration * (bias + z)
    return _NORMAL.cdf(bias + (bias + z) / denominator) if denominator > 0 else None


def _mcnemar(challenger: Losses, champion: Losses) -> dict[str, Any] | None:
    """None unless every loss is 0 (right) or 1 (wrong)."""
    if not all(bool(np.isin(losses, (0.0, 1.0)).all()) for losses in (challenger, champion)):
        return None
    only_champion = int(np.count_nonzero(champion > challenger))
    only_challenger = int(np.count_nonzero(challenger > champion))
    p = _coin(only_champion, only_challenger)
    return {"only_champion_wrong": only_champion, "only_challenger_wrong": only_challenger, "p": p}


def _coin(heads: int, tails: int) -> float:
    """The two-sided probability of a fair coin to fall as unevenly as this, or more so."""
    tosses, fewer = heads + tails, min(heads, tails)
    if 2 * fewer == tosses:
        return 1.0
    likely = math.lgamma(tosses + 1) - math.lgamma(fewer + 1) - math.lgamma(tosses - fewer + 1) - tosses * math.log(2)
    # From the likeliest to the least likely, each from the one before.
    steps = np.arange(fewer, 0, -1, dtype=np.float64)
    ratios = np.cumprod(steps / (tosses - steps + 1))
    return min(1.0, 2 * math.exp(likely) * (1 + float(ratios.sum())))


def _worst_slice(differences: Losses, slices: Sequence[str], least_rows: int) -> dict[str, Any] | None:
    """The slice in which the challenger is the most behind, or the least ahead; None when all have too few rows.

    A mean over all rows but a few tells about those few, so that as many must be outside of it, or none.
    """
    names, places = np.unique(np.asarray(slices, dtype=np.str_), return_inverse=True)
    rows = np.bincount(places, minlength=len(names))
    sums = np.bincount(places, weights=differences, minlength=len(names))
    others = len(differences) - rows
    told = [
        (-float(total) / int(count), str(name), int(count))
        for name, count, rest, total in zip(names, rows, others, sums, strict=True)
        if name and count >= least_rows and (rest == 0 or rest >= least_rows)
    ]
    if not told:
        return None
    behind, name, count = min(told)
    return {"name": name, "rows": count, "difference": -behind}


def _rows_needed(rows: int, mean: float, low: float, high: float) -> int | None:
    """How many rows would bring the nearer end of the interval to 0, as its width shrinks with the root of the rows."""
    if not low <= 0 <= high or mean == 0:
        return None
    width = high - mean if mean < 0 else mean - low
    ratio = width / mean
    needed = rows * ratio * ratio  # a product too large is infinite; a power would raise OverflowError
    return min(MOST_NEEDED, math.ceil(needed)) if math.isfinite(needed) else MOST_NEEDED
