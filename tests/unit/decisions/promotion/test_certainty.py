import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.promotion.certainty import rows_needed, sureness
from shared.decisions.promotion.judgement import Challenger, judge
from shared.messages import (
    Certainty,
    Champion,
    ChampionMeasurement,
    Comparison,
    Judgement,
    PromotionRule,
    RuleResult,
    WithoutComparison,
)
from shared.values.wire import from_wire
from site_agent.job.statistics import compare
from tests.support.builders import a_champion

RULE = PromotionRule(metric="log_loss", higher_is_better=False, floor=0.5, margin=-0.01, drift_limit=0.01)
SURE = replace(RULE, certainty=Certainty())


def a_comparison(difference: float, low: float, high: float, **changes: Any) -> Comparison:
    usual = Comparison(
        rows=100, difference=difference, low=low, high=high, level=0.95, resamples=2000, method="bca", rows_needed=None
    )
    return replace(usual, **changes)


def judged(comparison: Comparison | None, rule: PromotionRule = SURE, value: float = 0.1) -> Judgement:
    champion = a_champion(metrics={"log_loss": 0.1}, holdout="rows", evaluator="code")
    beside = ChampionMeasurement(run_id=str(champion.run_id), metrics={"log_loss": 0.1}, comparison=comparison)
    new = Challenger(
        run_id="challenger", metrics={"log_loss": value}, holdout="rows", evaluator="code", compared=beside
    )
    return judge(rule, new, champion)


def results(judgement: Judgement) -> dict[str, RuleResult]:
    return {rule.rule: rule.result for rule in judgement.rules}


BETTER = a_comparison(-0.02, -0.03, -0.01)
WORSE = a_comparison(0.02, 0.01, 0.03)
UNSURE = a_comparison(-0.01, -0.03, 0.01, rows_needed=400)


def test_a_verdict_lists_every_rule_with_value_and_limit() -> None:
    judgement = judged(BETTER)

    assert judgement.promoted
    found = {rule.rule: (rule.value, rule.limit) for rule in judgement.rules}
    assert found == {
        "judge.floor": (0.1, 0.5),
        "judge.margin": (0.1, pytest.approx(0.11)),
        "judge.drift_limit": (0.1, pytest.approx(0.11)),
        "judge.certainty": (-0.01, 0.0),
    }
    assert set(results(judgement).values()) == {RuleResult.MET}


@pytest.mark.parametrize(
    ("comparison", "result"),
    [
        (BETTER, RuleResult.MET),
        (a_comparison(0.0, 0.0, 0.0), RuleResult.MET),
        (WORSE, RuleResult.NOT_MET),
        (UNSURE, RuleResult.CANNOT_TELL),
        (None, RuleResult.CANNOT_TELL),
        (replace(BETTER, level=0.9), RuleResult.CANNOT_TELL),
    ],
)
def test_only_what_is_certain_is_promoted(comparison: Comparison | None, result: RuleResult) -> None:
    judgement = judged(comparison)

    assert judgement.promoted is (result is RuleResult.MET)
    assert results(judgement)["judge.certainty"] is result
    assert judgement.comparable, "the same data would come to the same verdict, so it is one"


def test_who_cannot_tell_says_how_many_rows_would_do() -> None:
    assert "about 400 rows" in judged(UNSURE).reason
    tolerant = replace(SURE, certainty=Certainty(tolerance=0.005))
    assert "about 178 rows" in judged(UNSURE, tolerant).reason  # 100 * (0.02 / 0.015) ** 2


def test_without_losses_row_by_row_the_verdict_names_what_is_missing() -> None:
    assert "rows.csv" in judged(None).reason


def test_the_margin_speaks_first_and_the_certainty_is_listed_all_the_same() -> None:
    judgement = judged(UNSURE, value=0.2)

    assert not judgement.promoted
    assert "not better by the margin" in judgement.reason
    assert results(judgement) == {
        "judge.floor": RuleResult.MET,
        "judge.margin": RuleResult.NOT_MET,
        "judge.drift_limit": RuleResult.NOT_MET,
        "judge.certainty": RuleResult.CANNOT_TELL,
    }


def test_without_a_champion_or_a_rule_nothing_must_be_certain() -> None:
    new = Challenger(run_id="challenger", metrics={"log_loss": 0.1})

    assert judge(SURE, new, Champion(pipeline="p")).promoted
    assert judged(WORSE, RULE).promoted
    assert "judge.certainty" not in results(judged(WORSE, RULE))


def test_a_champion_that_cannot_be_measured_is_a_matter_of_another_rule() -> None:
    champion = a_champion(metrics={"log_loss": 0.1}, holdout="others", evaluator="code")
    beside = ChampionMeasurement(run_id=str(champion.run_id), trouble="its image is gone")
    new = Challenger(run_id="challenger", metrics={"log_loss": 0.1}, holdout="rows", compared=beside)

    assert judge(replace(SURE, without_comparison=WithoutComparison.PROMOTE), new, champion).promoted
    kept = judge(SURE, new, champion)
    assert (kept.promoted, kept.comparable) == (False, False)
    assert results(kept)["judge.margin"] is RuleResult.CANNOT_TELL


NUMBERS = st.floats(-1e6, 1e6)


@given(ends=st.lists(NUMBERS, min_size=3, max_size=3).map(sorted), tolerance=NUMBERS)
def test_it_is_certain_exactly_when_the_whole_interval_is_on_one_side(ends: list[float], tolerance: float) -> None:
    low, difference, high = ends
    found = sureness(Certainty(tolerance=tolerance), a_comparison(difference, low, high)).rule

    assert (found.result is RuleResult.MET) == (high <= tolerance)
    assert (found.result is RuleResult.NOT_MET) == (low > tolerance)
    assert (found.value, found.limit) == (high, tolerance)


@given(ends=st.lists(NUMBERS, min_size=3, max_size=3).map(sorted), tolerance=NUMBERS)
def test_more_rows_are_asked_for_only_when_they_would_help(ends: list[float], tolerance: float) -> None:
    low, difference, high = ends
    comparison = a_comparison(difference, low, high)
    needed = rows_needed(comparison, tolerance)
    if needed is None or not low <= tolerance < high:
        return
    shrunk = math.sqrt(comparison.rows / needed)
    narrow = a_comparison(
        difference, difference - (difference - low) * shrunk, difference + (high - difference) * shrunk
    )
    slack = 1e-6 * max(1.0, abs(high), abs(low), abs(tolerance))
    assert needed >= comparison.rows
    assert narrow.high <= tolerance + slack or narrow.low >= tolerance - slack


@given(seed=st.integers(0, 1_000), shift=st.floats(-1, 1))
def test_what_the_site_compares_is_what_is_judged(seed: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    champion = random.exponential(size=60)
    challenger = champion + random.normal(shift, 0.3, size=60)

    comparison = from_wire(Comparison, compare(challenger, champion, resamples=200, seed=seed))
    judgement = judged(comparison, value=0.0)

    assert judgement.promoted is (comparison.high <= 0)
