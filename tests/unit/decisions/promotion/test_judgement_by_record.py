import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.promotion.judgement_by_record import judge_by_record
from shared.messages import Champion, PromotionRule
from tests.support.builders import a_champion

HIGHER = PromotionRule(metric="accuracy", higher_is_better=True, floor=0.9, margin=0.01)
LOWER = PromotionRule(metric="log_loss", higher_is_better=False, floor=0.5, margin=0.1)
NOBODY = Champion(pipeline="p")


@pytest.mark.parametrize(
    ("rule", "metrics", "champion", "promoted", "said"),
    [
        (HIGHER, {"accuracy": 0.95}, NOBODY, True, "no champion"),
        (HIGHER, {"accuracy": 0.89}, NOBODY, False, "misses the floor 0.9"),
        (HIGHER, {"accuracy": 0.95}, a_champion(metrics={"accuracy": 0.93}), True, "is promoted"),
        (HIGHER, {"accuracy": 0.935}, a_champion(metrics={"accuracy": 0.93}), False, "the champion keeps serving"),
        (HIGHER, {"auc": 0.99}, NOBODY, False, "logged no metric 'accuracy'; it logged: auc"),
        (HIGHER, {}, NOBODY, False, "it logged: none"),
        (HIGHER, {"accuracy": 0.95}, a_champion(metrics={"auc": 1.0}), True, "no champion"),
        (LOWER, {"log_loss": 0.3}, a_champion(metrics={"log_loss": 0.45}), True, "is promoted"),
        (LOWER, {"log_loss": 0.4}, a_champion(metrics={"log_loss": 0.45}), False, "the champion keeps serving"),
        (LOWER, {"log_loss": 0.6}, NOBODY, False, "misses the floor"),
        (HIGHER, {"accuracy": math.nan}, NOBODY, False, "not a finite number"),
        (HIGHER, {"accuracy": math.inf}, NOBODY, False, "not a finite number"),
    ],
)
def test_rule(rule: PromotionRule, metrics: dict[str, float], champion: Champion, promoted: bool, said: str) -> None:
    judgement = judge_by_record(rule, metrics, champion)

    assert judgement.promoted is promoted
    assert said in judgement.reason


def test_a_run_that_is_judged_again_after_it_was_crowned_stays_the_champion() -> None:
    rule = PromotionRule(metric="m", higher_is_better=True, floor=0.5, margin=0.1)
    champion = a_champion(metrics={"m": 0.9})
    assert champion.run_id is not None

    assert not judge_by_record(rule, {"m": 0.9}, champion, run_id="another").promoted
    assert judge_by_record(rule, {"m": 0.9}, champion, run_id=champion.run_id).promoted


@given(value=st.floats(), best=st.floats(0, 1), floor=st.floats(0, 1), margin=st.floats(-0.5, 0.5))
def test_nothing_below_the_floor_or_the_champion_is_ever_promoted(
    value: float, best: float, floor: float, margin: float
) -> None:
    rule = PromotionRule(metric="m", higher_is_better=True, floor=floor, margin=margin)

    judgement = judge_by_record(rule, {"m": value}, a_champion(metrics={"m": best}))

    assert judgement.promoted == (math.isfinite(value) and value >= floor and value >= best + margin)
