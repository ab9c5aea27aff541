"""Whether it is certain that a challenger is not worse than the champion, from their losses row by row. Pure."""

import math
from dataclasses import dataclass

from shared.messages import Certainty, Comparison, JudgedRule, RuleResult

RULE = "judge.certainty"
MOST_ROWS = 100_000_000
"""More rows than this are not named: the models are too alike to tell them apart."""

_NO_LOSSES = (
    "cannot tell whether the new model is worse: there are no losses of both models row by row, which judge.certainty"
    " needs; have the evaluation write rows.csv, or remove judge.certainty"
)


@dataclass(frozen=True, slots=True)
class Sureness:
    """What became of the rule, and the sentence about it."""

    rule: JudgedRule
    said: str


def sureness(certainty: Certainty, comparison: Comparison | None) -> Sureness:
    """Hold the interval of the mean difference of the losses (challenger's minus champion's) against the tolerance.

    Met: all of it is at most the tolerance. Not met: all of it is above. Otherwise nobody can tell, and the champion
    stays; the sentence says how many rows would do.
    """
    if comparison is None:
        return Sureness(_rule(certainty, RuleResult.CANNOT_TELL), _NO_LOSSES)
    if comparison.level < certainty.level:
        said = (
            f"cannot tell whether the new model is worse: the site compared both at {_percent(comparison.level)}, and"
            f" judge.certainty asks for {_percent(certainty.level)}; correct judge.certainty.level"
        )
        return Sureness(_rule(certainty, RuleResult.CANNOT_TELL, comparison), said)
    found = (
        f"over {comparison.rows:,} rows its loss differs from the champion's by {_signed(comparison.difference)} on"
        f" average ({_signed(comparison.low)} to {_signed(comparison.high)} at {_percent(comparison.level)})"
    )
    allowed = f"and may by at most {_signed(certainty.tolerance)} (judge.certainty)"
    if comparison.high <= certainty.tolerance:
        return Sureness(_rule(certainty, RuleResult.MET, comparison), f"{found}, {allowed}")
    if comparison.low > certainty.tolerance:
        said = f"the new model is worse: {found}, {allowed}; the champion keeps serving"
        return Sureness(_rule(certainty, RuleResult.NOT_MET, comparison), said)
    said = f"cannot tell whether the new model is worse: {found}, {allowed}; the champion keeps serving; "
    return Sureness(
        _rule(certainty, RuleResult.CANNOT_TELL, comparison), said + _rows_that_would_do(certainty, comparison)
    )


def rows_needed(comparison: Comparison, tolerance: float) -> int | None:
    """About how many rows would do to tell, when the difference stays as it is; None when none would.

    An interval's width falls with the square root of the rows.
    """
    gap = tolerance - comparison.difference
    width = comparison.high - comparison.difference if gap > 0 else comparison.difference - comparison.low
    if width <= 0 or width > abs(gap) * math.sqrt(MOST_ROWS / comparison.rows):
        return None
    return math.ceil(comparison.rows * (width / gap) ** 2)


def _rows_that_would_do(certainty: Certainty, comparison: Comparison) -> str:
    known = comparison.rows_needed if certainty.tolerance == 0 and comparison.level == certainty.level else None
    needed = known or rows_needed(comparison, certainty.tolerance)
    if needed is None or needed > MOST_ROWS:
        return "the models are too alike for any hold-out to tell them apart, so allow a tolerance above zero"
    return f"a hold-out with about {max(needed, comparison.rows + 1):,} rows would do"


def _rule(certainty: Certainty, result: RuleResult, comparison: Comparison | None = None) -> JudgedRule:
    value = comparison.high if comparison else None
    return JudgedRule(rule=RULE, result=result, value=value, limit=certainty.tolerance)


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def _signed(number: float) -> str:
    return f"{number:+.4g}" if number else "0"
