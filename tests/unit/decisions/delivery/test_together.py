from typing import Any

import pytest

from shared.decisions.delivery.together import must_all_go_back, not_begun, outcome_of, waves, went_back
from shared.messages import (
    Approval,
    DeliveryRule,
    FailureKind,
    GoalEnd,
    OnFailure,
    Outcome,
    RolloutPhase,
    TargetPlan,
    TargetResult,
)

ALL_BACK = DeliveryRule(on_failure=OnFailure.ROLL_BACK_ALL)
GOOD = TargetResult(target="a", deployed=True, serves="new", before="old")
BAD = TargetResult(target="b", deployed=False, reason="it hangs", failure_kind=FailureKind.CODE)
NO = TargetResult(
    target="c",
    deployed=False,
    reason="ada rejected it",
    phase=RolloutPhase.APPROVAL,
    touched=False,
    approval=Approval(run_id="new", target="c", approved=False, by="ada"),
)


@pytest.mark.parametrize(("most", "sizes"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (20, [5])])
def test_so_many_targets_at_a_time(most: int, sizes: list[int]) -> None:
    targets = tuple(TargetPlan(name=f"t{number}", health_seconds=1) for number in range(5))
    found = list(waves(targets, most))
    assert [len(wave) for wave in found] == sizes
    assert [target for wave in found for target in wave] == list(targets)


def test_one_failure_takes_all_back_only_if_the_pipeline_says_so() -> None:
    assert must_all_go_back(ALL_BACK, [GOOD, BAD])
    assert not must_all_go_back(ALL_BACK, [GOOD])
    assert not must_all_go_back(DeliveryRule(), [GOOD, BAD])


@pytest.mark.parametrize(
    ("results", "outcome", "kind"),
    [
        ([GOOD], Outcome.PROMOTED, None),
        ([GOOD, BAD], Outcome.PROMOTED, None),
        ([GOOD, NO], Outcome.PROMOTED, None),
        ([BAD], Outcome.ROLLED_BACK, FailureKind.CODE),
        ([BAD, NO], Outcome.ROLLED_BACK, FailureKind.CODE),
        ([NO], Outcome.NOT_PROMOTED, None),
    ],
)
def test_the_runs_outcome(results: list[TargetResult], outcome: Outcome, kind: Any) -> None:
    found, said, found_kind = outcome_of(results)
    assert (found, found_kind) == (outcome, kind)
    assert all(result.reason in said for result in results if not result.deployed)


def test_a_no_for_one_target_that_keeps_the_model_from_all_is_no_failure() -> None:
    """Nothing is wrong with the model or the targets, so nothing is tried again."""
    back = went_back(GOOD, GoalEnd(target="a", reached=True), [GOOD, NO])
    left = not_begun(TargetPlan(name="d", health_seconds=1), [GOOD, NO])

    assert outcome_of([back, NO, left])[::2] == (Outcome.NOT_PROMOTED, None)
    assert all("c was rejected" in each.reason for each in (back, left))
    also_bad = outcome_of([back, NO, BAD])
    assert also_bad[::2] == (Outcome.ROLLED_BACK, FailureKind.CODE)


def test_who_was_left_alone_or_taken_back_is_told_why() -> None:
    left = not_begun(TargetPlan(name="d", health_seconds=1), [GOOD, BAD])
    assert (left.deployed, left.touched, left.failure_kind) == (False, False, FailureKind.CODE)
    back = went_back(GOOD, GoalEnd(target="a", reached=True), [GOOD, BAD])
    assert (back.deployed, back.restored, back.serves, back.failure_kind) == (False, True, "old", FailureKind.CODE)
    lost = went_back(GOOD, GoalEnd(target="a", reached=False, trouble="no route"), [GOOD, BAD])
    assert (lost.restored, lost.serves) == (False, None)
    assert "no route" in lost.reason
