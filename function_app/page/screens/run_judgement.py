"""How a run was measured and judged: its numbers beside those of the model in use, on the same rows or not at all."""

from dataclasses import dataclass
from enum import StrEnum

from function_app.api.models import RunView
from shared.messages import Comparison, JudgedRule, PromotionRule


class NotBeside(StrEnum):
    """Why numbers of the model in use are not shown beside those of the run."""

    NO_CHAMPION = "no_champion"
    OVERTAKEN = "overtaken"
    OTHER_ROWS = "other_rows"
    OTHER_CODE = "other_code"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric; ``champion``: of the model in use, on the same rows; None when it was not measured on them.

    ``judged``: it decides. ``better``: whether the difference is to the good; None where that is not known.
    """

    name: str
    value: float | None
    champion: float | None
    difference: float | None
    judged: bool
    better: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The difference of the losses row by row, and where it is drawn: parts of one, of a scale with zero in it."""

    found: Comparison
    low: float
    middle: float
    high: float
    zero: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came out of a run. ``why``: why nothing, or not everything, is shown of the model in use; None: it is."""

    metrics: tuple[Metric, ...]
    champion: str | None
    why: NotBeside | None
    interval: Interval | None
    rules: tuple[JudgedRule, ...]
    metric: str
    higher_is_better: bool


def judged(run: RunView, rule: PromotionRule | None) -> Judged:
    """The metrics, the one that decides first; the interval; and the rules as they were looked at."""
    name = rule.metric if rule else ""
    higher = rule.higher_is_better if rule else True
    names = sorted(run.metrics, key=lambda each: (each != name, each))
    champion = run.champion_run_id or (run.beside.left.run_id if run.beside else None)
    return Judged(
        metrics=tuple(_metric(each, run, judged=each == name, higher=higher) for each in names),
        champion=champion if champion != run.run_id else None,
        why=_why(run),
        interval=interval_of(run.comparison),
        rules=run.rules,
        metric=name,
        higher_is_better=higher,
    )


def _metric(name: str, run: RunView, *, judged: bool, higher: bool) -> Metric:
    value, champion = run.metrics[name], None
    if judged and run.champion_value is not None:
        champion = run.champion_value
    elif run.beside is not None and run.beside.comparable:
        champion = run.beside.left.metrics.get(name)
    difference = value - champion if champion is not None else None
    better = (difference > 0) is higher if judged and difference else None
    return Metric(name=name, value=value, champion=champion, difference=difference, judged=judged, better=better)


def _why(run: RunView) -> NotBeside | None:
    if run.beside is None:
        return NotBeside.NO_CHAMPION if not run.champion_run_id else NotBeside.NOT_KNOWN
    if run.overtaken:
        return NotBeside.OVERTAKEN
    if run.beside.comparable:
        return None
    left, right = run.beside.left, run.beside.right
    if left.holdout and right.holdout and left.holdout != right.holdout:
        return NotBeside.OTHER_ROWS
    if left.evaluator and right.evaluator and left.evaluator != right.evaluator:
        return NotBeside.OTHER_CODE
    return NotBeside.NOT_KNOWN


def interval_of(found: Comparison | None) -> Interval | None:
    """Where a difference of losses is drawn; None where there is none."""
    if found is None:
        return None
    least, most = min(0.0, found.low), max(0.0, found.high)
    room = (most - least or 1.0) * 0.08
    least, whole = least - room, most - least + 2 * room
    low, middle, high, zero = ((each - least) / whole for each in (found.low, found.difference, found.high, 0.0))
    return Interval(found=found, low=low, middle=middle, high=high, zero=zero)
