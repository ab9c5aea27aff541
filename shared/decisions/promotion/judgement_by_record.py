"""How runs from before the fair comparison are judged: by numbers on record, whatever they were measured on. Pure."""

import math

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
    if value is None:
        known = ", ".join(sorted(metrics)) or "none"
        return Judgement(promoted=False, reason=f"the training logged no metric {rule.metric!r}; it logged: {known}")
    if not math.isfinite(value):
        return Judgement(promoted=False, reason=f"metric {rule.metric} is {value}, not a finite number")
    if _worse(rule, value, rule.floor):
        return Judgement(promoted=False, reason=f"{rule.metric} {value:.4f} misses the floor {rule.floor:g}")
    if champion.run_id == run_id:
        return Judgement(promoted=True, reason=f"{rule.metric} {value:.4f}: the champion already")
    return _against_champion(rule, value, champion)


def _against_champion(rule: PromotionRule, value: float, champion: Champion) -> Judgement:
    best = champion.metrics.get(rule.metric)
    if champion.run_id is None or best is None:
        return Judgement(
            promoted=True, reason=f"{rule.metric} {value:.4f} meets the floor {rule.floor:g}; no champion to beat"
        )
    needed = best + rule.margin if rule.higher_is_better else best - rule.margin
    compared = (
        f"{rule.metric} {value:.4f} against the champion's {best:.4f} (run {champion.run_id}, margin {rule.margin:g})"
    )
    if _worse(rule, value, needed):
        return Judgement(promoted=False, reason=f"{compared}: the champion stays")
    return Judgement(promoted=True, reason=f"{compared}: the challenger takes over")


def _worse(rule: PromotionRule, value: float, than: float) -> bool:
    return value < than if rule.higher_is_better else value > than
