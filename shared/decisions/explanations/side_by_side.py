"""Two runs side by side: what differs, and whether their numbers may be compared. Pure."""

from dataclasses import dataclass

from shared.messages import Comparison, Parameters, RunRecord, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuePair:
    """A parameter, or a metric, of two runs; None where one has none."""

    name: str
    left: Scalar | None
    right: Scalar | None


def parameters_that_differ(left: Parameters, right: Parameters) -> tuple[ValuePair, ...]:
    """In order of their names."""
    return tuple(
        ValuePair(name=name, left=left.get(name), right=right.get(name))
        for name in sorted({*left, *right})
        if (name in left, left.get(name)) != (name in right, right.get(name))
    )


def are_comparable(left: RunRecord, right: RunRecord) -> bool:
    """Whether both were measured on the same rows by the same code; without digests nobody knows."""
    known = all((left.holdout, right.holdout, left.evaluator, right.evaluator))
    return known and (left.holdout, left.evaluator) == (right.holdout, right.evaluator)


def interval_between(left: RunRecord, right: RunRecord) -> Comparison | None:
    """The comparison row by row, when one of the two was judged against the other."""
    if right.champion_run_id == left.run_id:
        return right.comparison
    return left.comparison if left.champion_run_id == right.run_id else None


def sentence(left: RunRecord, right: RunRecord, metric: str) -> str:
    """What matters of the two, in a sentence."""
    what = f"run {right.run_id} beside run {left.run_id}"
    one, other = left.metrics.get(metric), right.metrics.get(metric)
    if one is None or other is None:
        lacking = left.run_id if one is None else right.run_id
        return f"{what}: run {lacking} has no metrics yet" if metric else f"{what}: no metric is known of both"
    numbers = f"{metric} is {other:.6g} and was {one:.6g}"
    if not are_comparable(left, right):
        return f"{what}: {numbers}, measured on other rows or by other code, so neither says anything about the other"
    interval = interval_between(left, right)
    if interval is None:
        return f"{what}: {numbers}, on the same rows"
    return (
        f"{what}: {numbers}; per row the loss differs by {interval.difference:.3g}"
        f" ({interval.level:.0%} interval {interval.low:.3g} to {interval.high:.3g})"
    )
