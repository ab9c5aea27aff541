"""Judgement of runs from before the fair comparison: by recorded metrics, whatever they were measured on. Pure."""

from shared.decisions.promotion.judgement import (
    champion_already,
    decided,
    no_champion_to_beat,
    short_of_the_floor,
)
from shared.messages import Champion, Judgement, PromotionRule


def judge_by_record(
    rule: PromotionRule, metrics: dict[str, float], champion: Champion, *, run_id: str = ""
) -> Judgement:
    """Compare a challenger's metrics with the rule's floor and with the champion's.

    A missing metric, or one that is not a finite number, is never promoted. A champion without the metric (it was
    trained under another rule) cannot be compared and does not block. ``run_id``: the challenger's; a run that is
    judged again after it was crowned is its own champion, and stays it.
    """
    value = metrics.get(rule.metric)
    short = short_of_the_floor(rule, metrics)
    if short or value is None:
        return Judgement(promoted=False, reason=short)
    if champion.run_id == run_id:
        return champion_already(rule, value)
    return _against_champion(rule, value, champion)


def _against_champion(rule: PromotionRule, value: float, champion: Champion) -> Judgement:
    best = champion.metrics.get(rule.metric)
    if champion.run_id is None or best is None:
        return no_champion_to_beat(rule, value)
    needed = best + rule.margin if rule.higher_is_better else best - rule.margin
    compared = (
        f"{rule.metric} {value:.4f} against the champion's {best:.4f} (run {champion.run_id}, margin {rule.margin:g})"
    )
    worse = value < needed if rule.higher_is_better else value > needed
    return decided(compared, better=not worse)
