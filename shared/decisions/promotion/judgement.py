"""Champion/challenger judgement: a floor, the champion, the best champion so far, and how certain it is. Pure.

Two numbers are compared only when they were measured on the same thing: by the same training, which measures both
models on the same rows with the same code, or under the same digests of hold-out and evaluating code.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shared.decisions.promotion.certainty import sureness
from shared.messages import (
    Best,
    Champion,
    ChampionMeasurement,
    Comparison,
    JudgedRule,
    Judgement,
    Outcome,
    PromotionRule,
    RuleResult,
    RunRecord,
    WithoutComparison,
)

MOST_BESTS = 20
"""So many hold-outs and evaluating codes are remembered, the last used first: a pipeline's row must not grow."""

_AGAIN = "the champion keeps serving, and the app tries the run again by itself, beside that champion"
_WAY_OUT = (
    "correct that and start the run again, or set judge.without_comparison to promote, so that the floor alone decides,"
    " and start it again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenger:
    """A trained model, its metrics and what they were measured on, and the training's measurement of the champion."""

    run_id: str
    metrics: dict[str, float]
    holdout: str = ""
    evaluator: str = ""
    compared: ChampionMeasurement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """The champion's number on the challenger's rows; None when there is none, and ``why``.

    ``overtaken``: it became the champion meanwhile, so the training could not measure it.
    """

    value: float | None = None
    why: str = ""
    overtaken: bool = False
    by_row: Comparison | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What one rule comes to, and the sentence about it."""

    rule: JudgedRule
    promotes: bool
    said: str


def judge(rule: PromotionRule, challenger: Challenger, champion: Champion) -> Judgement:
    """Whether the challenger is promoted, and why.

    A missing metric, or one that is not a finite number, is never promoted. A challenger must be more than the margin
    better, so a tie keeps the champion. A run that is judged again after it was crowned is its own champion, and stays
    it. Without a comparison ``rule.without_comparison`` decides; the floor and other limits that can be checked apply
    all the same.
    """
    value = challenger.metrics.get(rule.metric)
    short = short_of_the_floor(rule, challenger.metrics)
    floor = _judged("judge.floor", met=not short, value=value, limit=rule.floor)
    if short or value is None:
        return Judgement(promoted=False, reason=short, rules=(floor,))
    if champion.run_id is None:
        return replace(no_champion_to_beat(rule, value), rules=(floor,))
    if champion.run_id == challenger.run_id:
        return replace(champion_already(rule, value), rules=(floor,))
    compared = _compared(rule, challenger, champion)
    against, sure = _against_champion(rule, value, champion, compared), _certain(rule, compared)
    found = [against, _against_best(rule, value, challenger, champion, compared), sure]
    steps = [step for step in found if step is not None]
    # The first that keeps the champion says why; otherwise the comparison does.
    decisive = next((step for step in steps if not step.promotes), against)
    certain = f"; {sure.said}" if sure is not None and decisive.promotes else ""
    return Judgement(
        promoted=decisive.promotes,
        reason=f"{decisive.said}{certain}",
        champion_value=compared.value,
        comparable=compared.value is not None,
        overtaken=compared.overtaken,
        rules=(floor, *(step.rule for step in steps)),
    )


def with_bests(known: Iterable[Best], measured: Iterable[Best]) -> tuple[Best, ...]:
    """The best numbers so far, with what was measured now; the last used first, and at most :data:`MOST_BESTS`."""
    bests = {_key(best): best for best in known}
    for best in measured:
        before = bests.pop(_key(best), None)
        keep = before if before is not None and not _is_better(best, before) else best
        bests = {_key(keep): keep, **bests}
    return tuple(bests.values())[:MOST_BESTS]


def measured_by(record: RunRecord, rule: PromotionRule) -> tuple[Best, ...]:
    """What a judged run has measured of champions: of the one it was compared with, and of itself if promoted."""
    if not record.holdout or not record.evaluator:
        return ()
    found: list[tuple[str, float]] = []
    if record.champion_run_id and record.champion_value is not None:
        found.append((record.champion_run_id, record.champion_value))
    if record.outcome is Outcome.PROMOTED and rule.metric in record.metrics:
        found.append((record.run_id, record.metrics[rule.metric]))
    return tuple(
        Best(
            run_id=run_id,
            metric=rule.metric,
            higher_is_better=rule.higher_is_better,
            value=value,
            holdout=record.holdout,
            evaluator=record.evaluator,
        )
        for run_id, value in found
    )


def short_of_the_floor(rule: PromotionRule, metrics: Mapping[str, float]) -> str:
    """Why the metrics are not promoted whoever is champion; empty when they may be."""
    value = metrics.get(rule.metric)
    if value is None:
        known = ", ".join(sorted(metrics)) or "none"
        logged = f"the training logged no metric {rule.metric!r}; it logged: {known}"
        return f"{logged}; have evaluate() return it, or change judge.metric"
    if not math.isfinite(value):
        said = f"metric {rule.metric} is {value}, not a finite number, so the model is not promoted"
        return f"{said}; have evaluate() return a finite one"
    if _worse(rule, value, rule.floor):
        return f"{rule.metric} {value:.4f} misses the floor {rule.floor:g} (judge.floor), so the model is not promoted"
    return ""


def no_champion_to_beat(rule: PromotionRule, value: float) -> Judgement:
    """The judgement without a champion: only the floor counts."""
    reason = f"{rule.metric} {value:.4f} meets the floor {rule.floor:g}; there is no champion yet"
    return Judgement(promoted=True, reason=reason)


def champion_already(rule: PromotionRule, value: float) -> Judgement:
    """The judgement on a repeat after the run was crowned: it stays the champion."""
    return Judgement(promoted=True, reason=f"{rule.metric} {value:.4f}: this model is the champion already")


def decided(compared: str, *, better: bool) -> Judgement:
    """The judgement from a comparison."""
    end = "the new model is promoted" if better else "not better by the margin, so the champion keeps serving"
    return Judgement(promoted=better, reason=f"{compared}: {end}")


def _compared(rule: PromotionRule, challenger: Challenger, champion: Champion) -> _Comparison:
    """The champion's number on the challenger's rows: measured beside it, or earlier on the very same rows."""
    beside = challenger.compared if challenger.compared and challenger.compared.run_id == champion.run_id else None
    value = beside.metrics.get(rule.metric) if beside else None
    if value is None and _same(champion, challenger):
        value = champion.metrics.get(rule.metric)
    if value is not None and math.isfinite(value):
        return _Comparison(value=value, by_row=beside.comparison if beside else None)
    if beside is None:
        return _Comparison(why=f"run {champion.run_id} became the champion while this one trained", overtaken=True)
    return _Comparison(why=beside.trouble or f"its evaluation gave no {rule.metric}")


def _against_champion(rule: PromotionRule, value: float, champion: Champion, compared: _Comparison) -> _Step:
    if compared.value is None:
        other = _what_differs(champion)
        said = f"no comparison with the champion (run {champion.run_id}): {other}, and {compared.why}"
        unknown = JudgedRule(rule="judge.margin", result=RuleResult.CANNOT_TELL, value=value)
        if rule.without_comparison is WithoutComparison.KEEP:
            then = _AGAIN if compared.overtaken else f"the champion keeps serving; {_WAY_OUT}"
            return _Step(unknown, promotes=False, said=f"{said}; {then}")
        took_over = f"{rule.metric} {value:.4f} meets the floor {rule.floor:g}, so the new model is promoted"
        return _Step(unknown, promotes=True, said=f"{said}; {took_over} (judge.without_comparison is promote)")
    said = (
        f"{rule.metric} {value:.4f} against the champion's {compared.value:.4f} on the same hold-out (run"
        f" {champion.run_id}, margin {rule.margin:g})"
    )
    needed = compared.value + rule.margin if rule.higher_is_better else compared.value - rule.margin
    better = _better(rule, value, needed)
    judged = _judged("judge.margin", met=better, value=value, limit=needed)
    return _Step(judged, promotes=better, said=decided(said, better=better).reason)


def _what_differs(champion: Champion) -> str:
    if not champion.holdout:
        return "it is not known what its metrics were measured on"
    return "its metrics were measured on another hold-out or with other evaluation code"


def _against_best(
    rule: PromotionRule, value: float, challenger: Challenger, champion: Champion, compared: _Comparison
) -> _Step | None:
    """Whether the challenger is too far below the best champion so far on its hold-out; None when there is none."""
    found = [(best.value, best.run_id) for best in champion.bests if _measures(best, rule, challenger)]
    if compared.value is not None:
        found.append((compared.value, champion.run_id or ""))
    if not found:
        return None
    best, run_id = max(found) if rule.higher_is_better else min(found)
    least = best - rule.drift_limit if rule.higher_is_better else best + rule.drift_limit
    drifted = _worse(rule, value, least)
    by = f"more than {rule.drift_limit:g} " if rule.drift_limit else ""
    said = (
        f"{rule.metric} {value:.4f} is {by}worse than the best champion so far on this"
        f" hold-out ({best:.4f}, run {run_id}): the champion keeps serving (judge.drift_limit)"
    )
    judged = _judged("judge.drift_limit", met=not drifted, value=value, limit=least)
    return _Step(judged, promotes=not drifted, said=said)


def _certain(rule: PromotionRule, compared: _Comparison) -> _Step | None:
    """How certain it is that the challenger is not worse; None when that is not asked, or nothing is compared."""
    if rule.certainty is None or compared.value is None:
        return None
    sure = sureness(rule.certainty, compared.by_row)
    return _Step(sure.rule, promotes=sure.rule.result is RuleResult.MET, said=sure.said)


def _judged(name: str, *, met: bool, value: float | None, limit: float) -> JudgedRule:
    finite = value if value is not None and math.isfinite(value) else None
    return JudgedRule(rule=name, result=RuleResult.MET if met else RuleResult.NOT_MET, value=finite, limit=limit)


def _same(champion: Champion, challenger: Challenger) -> bool:
    """Whether their numbers were measured on the same rows with the same code, as far as both are known."""
    known = champion.holdout and champion.evaluator
    return bool(known) and (champion.holdout, champion.evaluator) == (challenger.holdout, challenger.evaluator)


def _measures(best: Best, rule: PromotionRule, challenger: Challenger) -> bool:
    return _key(best) == (rule.metric, rule.higher_is_better, challenger.holdout, challenger.evaluator)


def _key(best: Best) -> tuple[str, bool, str, str]:
    return best.metric, best.higher_is_better, best.holdout, best.evaluator


def _is_better(best: Best, than: Best) -> bool:
    return best.value > than.value if best.higher_is_better else best.value < than.value


def _better(rule: PromotionRule, value: float, than: float) -> bool:
    return value > than if rule.higher_is_better else value < than


def _worse(rule: PromotionRule, value: float, than: float) -> bool:
    return value < than if rule.higher_is_better else value > than
