import math
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.promotion.judgement import MOST_BESTS, Challenger, judge, measured_by, with_bests
from shared.messages import Best, Champion, ChampionMeasurement, Judgement, Outcome, PromotionRule, WithoutComparison
from tests.support.arrivals import a_run_record
from tests.support.builders import a_champion

HIGHER = PromotionRule(metric="accuracy", higher_is_better=True, floor=0.9, margin=0.01)
LOWER = PromotionRule(metric="log_loss", higher_is_better=False, floor=0.5, margin=0.1)
NOBODY = Champion(pipeline="p")
OLD, NEW = "old hold-out", "new hold-out"


def challenger(metrics: dict[str, float], **changes: Any) -> Challenger:
    usual = Challenger(run_id="challenger", metrics=metrics, holdout=OLD, evaluator="code")
    return replace(usual, **changes)


def champion(metrics: dict[str, float], **changes: Any) -> Champion:
    return a_champion(metrics=metrics, **{"holdout": OLD, "evaluator": "code", **changes})


@pytest.mark.parametrize(
    ("rule", "metrics", "against", "promoted", "said"),
    [
        (HIGHER, {"accuracy": 0.95}, NOBODY, True, "no champion"),
        (HIGHER, {"accuracy": 0.89}, NOBODY, False, "misses the floor 0.9"),
        (HIGHER, {"accuracy": 0.95}, champion({"accuracy": 0.93}), True, "is promoted"),
        (HIGHER, {"accuracy": 0.935}, champion({"accuracy": 0.93}), False, "the champion keeps serving"),
        (HIGHER, {"auc": 0.99}, NOBODY, False, "logged no metric 'accuracy'; it logged: auc"),
        (HIGHER, {}, NOBODY, False, "it logged: none"),
        (HIGHER, {"accuracy": 0.95}, champion({"auc": 1.0}), False, "no comparison"),
        (LOWER, {"log_loss": 0.3}, champion({"log_loss": 0.45}), True, "is promoted"),
        (LOWER, {"log_loss": 0.4}, champion({"log_loss": 0.45}), False, "the champion keeps serving"),
        (LOWER, {"log_loss": 0.6}, NOBODY, False, "misses the floor"),
        (HIGHER, {"accuracy": math.nan}, NOBODY, False, "not a finite number"),
        (HIGHER, {"accuracy": math.inf}, NOBODY, False, "not a finite number"),
    ],
)
def test_rule(rule: PromotionRule, metrics: dict[str, float], against: Champion, promoted: bool, said: str) -> None:
    judgement = judge(rule, challenger(metrics), against)

    assert judgement.promoted is promoted
    assert said in judgement.reason


@pytest.mark.parametrize("higher", [True, False])
def test_a_tie_is_not_better(higher: bool) -> None:
    rule = PromotionRule(metric="m", higher_is_better=higher, floor=0.5, margin=0.0)

    judgement = judge(rule, challenger({"m": 0.5}), champion({"m": 0.5}))

    assert (judgement.promoted, judgement.comparable, judgement.champion_value) == (False, True, 0.5)


def test_a_run_that_is_judged_again_after_it_was_crowned_stays_the_champion() -> None:
    crowned = champion({"accuracy": 0.95}, run_id="challenger")

    assert judge(HIGHER, challenger({"accuracy": 0.95}), crowned).promoted


class TestAReplacedHoldout:
    """The challenger was measured on other rows than the number that is kept of the champion."""

    RULE = PromotionRule(metric="log_loss", higher_is_better=False, floor=0.2)
    CHAMPION = champion({"log_loss": 0.1145})

    def judged(self, value: float, compared: ChampionMeasurement | None, rule: PromotionRule = RULE) -> Judgement:
        new = challenger({"log_loss": value}, holdout=NEW, compared=compared)
        return judge(rule, new, self.CHAMPION)

    def beside(self, value: float) -> ChampionMeasurement:
        return ChampionMeasurement(run_id=str(self.CHAMPION.run_id), metrics={"log_loss": value})

    def test_a_worse_model_does_not_win_because_the_rows_are_easier(self) -> None:
        judgement = self.judged(0.1111, self.beside(0.0225))

        assert (judgement.promoted, judgement.champion_value) == (False, 0.0225)
        assert "0.1111 against the champion's 0.0225 on the same hold-out" in judgement.reason

    def test_a_better_model_is_not_locked_out_because_the_rows_are_harder(self) -> None:
        judgement = self.judged(0.16, self.beside(0.18))

        assert (judgement.promoted, judgement.champion_value) == (True, 0.18)

    @pytest.mark.parametrize("value", [0.0001, 0.1999])
    def test_without_a_number_on_the_same_rows_there_is_no_comparison_and_the_champion_stays(
        self, value: float
    ) -> None:
        judgement = self.judged(
            value, ChampionMeasurement(run_id=str(self.CHAMPION.run_id), trouble="it cannot be loaded")
        )

        assert (judgement.promoted, judgement.comparable, judgement.champion_value) == (False, False, None)
        assert not judgement.overtaken
        assert "no comparison" in judgement.reason
        assert "another hold-out" in judgement.reason
        assert "it cannot be loaded" in judgement.reason
        assert "judge.without_comparison" in judgement.reason
        assert "0.1145" not in judgement.reason

    def test_the_operator_can_have_the_floor_decide(self) -> None:
        rule = replace(self.RULE, without_comparison=WithoutComparison.PROMOTE)

        assert self.judged(0.15, None, rule).promoted
        assert not self.judged(0.25, None, rule).promoted

    def test_a_number_of_a_champion_of_then_does_not_count_for_the_one_of_now(self) -> None:
        judgement = self.judged(0.15, ChampionMeasurement(run_id="the champion before", metrics={"log_loss": 0.19}))

        assert (judgement.promoted, judgement.comparable, judgement.overtaken) == (False, False, True)
        assert "became the champion while this one trained" in judgement.reason
        assert "again by itself" in judgement.reason
        assert "judge.without_comparison" not in judgement.reason


@pytest.mark.parametrize("change", [{"evaluator": "other"}, {"holdout": NEW}, {"holdout": ""}, {"evaluator": ""}])
def test_numbers_of_other_or_unknown_digests_are_not_compared(change: dict[str, str]) -> None:
    judgement = judge(HIGHER, challenger({"accuracy": 0.95}), champion({"accuracy": 0.91}, **change))

    assert (judgement.promoted, judgement.comparable) == (False, False)


def test_a_model_may_not_get_worse_step_by_step() -> None:
    rule = PromotionRule(metric="m", higher_is_better=True, floor=0.5, margin=-0.02, drift_limit=0.02)
    best = Best(run_id="first", metric="m", higher_is_better=True, value=0.95, holdout=OLD, evaluator="code")
    now = champion({"m": 0.935}, bests=(best,))

    near = judge(rule, challenger({"m": 0.931}), now)
    far = judge(rule, challenger({"m": 0.925}), now)

    assert near.promoted
    assert not far.promoted
    assert "worse than the best champion so far" in far.reason
    assert "run first" in far.reason


def test_the_best_on_other_rows_is_no_limit() -> None:
    rule = PromotionRule(metric="m", higher_is_better=True, floor=0.5, margin=-0.02, drift_limit=0.02)
    best = Best(run_id="first", metric="m", higher_is_better=True, value=0.95, holdout=NEW, evaluator="code")

    assert judge(rule, challenger({"m": 0.6}), champion({"m": 0.61}, bests=(best,))).promoted


def test_only_the_best_of_each_kind_is_remembered_and_not_without_end() -> None:
    def of(value: float, holdout: str) -> Best:
        return Best(run_id=f"{value}", metric="m", higher_is_better=False, value=value, holdout=holdout, evaluator="c")

    bests: tuple[Best, ...] = ()
    for number in range(MOST_BESTS + 5):
        bests = with_bests(bests, [of(0.3, f"h{number}"), of(0.2, f"h{number}"), of(0.4, f"h{number}")])

    assert len(bests) == MOST_BESTS
    assert bests[0] == of(0.2, f"h{MOST_BESTS + 4}")
    assert {best.value for best in bests} == {0.2}
    assert with_bests(bests, [of(0.2, "h24")]) == bests


def test_what_is_not_known_to_be_measured_on_anything_is_not_remembered() -> None:
    record = a_run_record(outcome=Outcome.PROMOTED, metrics={"accuracy": 0.95}, holdout="", evaluator="code")

    assert measured_by(record, HIGHER) == ()


@dataclass
class Model:
    """What a model really achieves on each hold-out, as each code measures it."""

    run_id: str
    values: dict[tuple[str, str], float]


HOLDOUTS = ["h1", "h2", "h3"]
CODES = ["c1", "c2"]
KINDS = [(holdout, code) for holdout in HOLDOUTS for code in CODES]
VALUES = st.floats(0, 1)


@given(
    data=st.data(),
    higher=st.booleans(),
    margin=st.floats(-0.5, 0.5),
    limit=st.floats(0, 0.3),
    without=st.sampled_from(WithoutComparison),
)
def test_no_sequence_of_runs_ends_below_the_best_so_far_minus_the_limit(
    data: st.DataObject, higher: bool, margin: float, limit: float, without: WithoutComparison
) -> None:
    """Whatever comes, in whatever order, and whether or not the champion could be measured again."""
    floor = 0.0 if higher else 1.0
    rule = PromotionRule(
        metric="m", higher_is_better=higher, floor=floor, margin=margin, drift_limit=limit, without_comparison=without
    )
    now, model = Champion(pipeline="p"), None
    measured: dict[tuple[str, str], list[float]] = {}
    for number, _ in zip(count(), range(data.draw(st.integers(1, 12))), strict=False):
        new = Model(f"run-{number}", {kind: data.draw(VALUES) for kind in KINDS})
        holdout, code = data.draw(st.sampled_from(KINDS))
        compared = None
        if model is not None and data.draw(st.booleans()):
            compared = ChampionMeasurement(run_id=model.run_id, metrics={"m": model.values[holdout, code]})
        judgement = judge(
            rule,
            Challenger(
                run_id=new.run_id,
                metrics={"m": new.values[holdout, code]},
                holdout=holdout,
                evaluator=code,
                compared=compared,
            ),
            now,
        )
        known = measured.setdefault((holdout, code), [])
        if judgement.champion_value is not None:
            assert model is not None
            assert judgement.champion_value == model.values[holdout, code], "a number of other rows was compared"
            known.append(judgement.champion_value)
        record = a_run_record(
            run_id=new.run_id,
            outcome=Outcome.PROMOTED if judgement.promoted else Outcome.NOT_PROMOTED,
            metrics={"m": new.values[holdout, code]},
            holdout=holdout,
            evaluator=code,
            champion_run_id=now.run_id,
            champion_value=judgement.champion_value,
        )
        bests = with_bests(now.bests, measured_by(record, rule))
        if not judgement.promoted:
            now = replace(now, bests=bests)
            continue
        value = new.values[holdout, code]
        assert all(value >= best - limit if higher else value <= best + limit for best in known)
        known.append(value)
        model = new
        now = Champion(
            pipeline="p",
            run_id=new.run_id,
            metrics=record.metrics,
            holdout=holdout,
            evaluator=code,
            bests=bests,
        )


@given(value=st.floats(), best=st.floats(0, 1), floor=st.floats(0, 1), margin=st.floats(-0.5, 0.5))
def test_nothing_below_the_floor_or_the_champion_is_ever_promoted(
    value: float, best: float, floor: float, margin: float
) -> None:
    rule = PromotionRule(metric="m", higher_is_better=True, floor=floor, margin=margin, drift_limit=1.0)

    judgement = judge(rule, challenger({"m": value}), champion({"m": best}))

    assert judgement.promoted == (
        math.isfinite(value) and value >= floor and value > best + margin and value >= best - 1.0
    )
