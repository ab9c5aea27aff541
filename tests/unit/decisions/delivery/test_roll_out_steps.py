from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.decisions.delivery.roll_out_events import AnnounceWish, Apply, Began, Decided, Failed, Finish, ReadDecision
from shared.decisions.delivery.roll_out_steps import advance
from shared.errors import Code
from shared.messages import (
    PLANNED_ROLLOUT,
    Approval,
    ApprovalRule,
    CanaryVerdict,
    FailureKind,
    Otherwise,
    PlannedRelease,
    Rollout,
    RolloutPhase,
    RolloutState,
    ServingPlan,
    Strategy,
    WithoutTraffic,
)
from tests.support.scripted_target import Behaviour, ScriptedTarget, Story, Trouble, rolled_out
from tests.support.workflow import START

OLD, NEW = "breast-cancer-old-1", "breast-cancer-new-1"
OLD_IMAGE, IMAGE = "registry/m@sha256:0", "registry/m@sha256:1"
CANARY = Strategy(steps=(5, 25, 50), soak_seconds=60, least_requests=20, watch_seconds=10)


def a_rollout(**changes: Any) -> Rollout:
    rollout = Rollout(
        run_id=NEW,
        pipeline="breast-cancer",
        target="hub-vm",
        image=IMAGE,
        health_seconds=30,
        schema=PLANNED_ROLLOUT,
        model="churn",
        version="7",
    )
    return replace(rollout, **changes)


def a_target(**new: Any) -> ScriptedTarget:
    """A target that serves the old model."""
    target = ScriptedTarget(behaviours={NEW: Behaviour(**new)})
    target.serve(OLD, OLD_IMAGE)
    return target


def weights(story: Story) -> list[dict[str, int]]:
    """Of every plan that was given to the target, in order."""
    return [
        {release.run_id: release.weight for release in action.plan.releases}
        for _, action in story.steps
        if isinstance(action, Apply)
    ]


def test_without_steps_all_traffic_moves_at_once() -> None:
    target = a_target()
    story = rolled_out(a_rollout(), target)

    assert weights(story) == [{OLD: 100, NEW: 0}, {OLD: 0, NEW: 100}]
    result = story.result
    assert (result.deployed, result.endpoint, result.serves, result.before) == (True, "http://vm:8400", NEW, OLD)
    assert (target.serves, target.bare) == ({NEW: 100}, [])
    assert [release.version for release in target.applied[-1].releases if release.run_id == NEW] == ["7"]


def test_a_canary_moves_it_step_by_step() -> None:
    story = rolled_out(a_rollout(strategy=CANARY), a_target())

    shown = [{OLD: 100 - weight, NEW: weight} for weight in (0, 5, 25, 50, 100)]
    assert weights(story) == shown
    assert [(step.weight, step.verdict) for step in story.result.canary] == [
        (5, CanaryVerdict.PASSED),
        (25, CanaryVerdict.PASSED),
        (50, CanaryVerdict.PASSED),
    ]
    assert story.phases[1:] == [
        RolloutPhase.CANDIDATE,
        RolloutPhase.CANARY,
        RolloutPhase.SWITCHING,
        RolloutPhase.WATCHING,
        RolloutPhase.DONE,
    ]


def test_a_first_release_has_nothing_beside_it() -> None:
    target = ScriptedTarget()
    story = rolled_out(a_rollout(strategy=CANARY), target)

    assert weights(story) == [{NEW: 0}, {NEW: 100}]
    assert story.result.deployed
    assert story.result.before is None


def test_a_failed_first_release_leaves_nothing() -> None:
    target = ScriptedTarget(behaviours={NEW: Behaviour(trouble="it exited with 3", final=True)})
    story = rolled_out(a_rollout(), target)

    assert weights(story) == [{NEW: 0}, {}]
    assert (story.result.deployed, story.result.restored, target.there) == (False, True, set())


@pytest.mark.parametrize(("final", "looks"), [(True, 3), (False, 10)])
def test_a_candidate_that_does_not_become_healthy_never_gets_traffic(final: bool, looks: int) -> None:
    target = a_target(trouble="it exited with 3: no module named x", final=final)
    story = rolled_out(a_rollout(), target)

    assert weights(story) == [{OLD: 100, NEW: 0}, {OLD: 100}]
    result = story.result
    assert (result.deployed, result.restored, result.phase) == (False, True, RolloutPhase.CANDIDATE)
    assert "it exited with 3: no module named x" in result.reason
    assert (target.serves, target.there, target.bare) == ({OLD: 100}, {OLD}, [])
    assert len(story.steps) <= looks + 10


def test_a_candidate_that_errs_under_traffic_goes_back_by_itself() -> None:
    target = a_target(errors=0.3)
    story = rolled_out(a_rollout(strategy=CANARY), target)

    result = story.result
    assert (result.deployed, result.failure_kind, result.phase) == (False, FailureKind.CODE, RolloutPhase.CANARY)
    assert result.canary[-1].verdict is CanaryVerdict.MORE_ERRORS
    assert result.canary[-1].evidence >= 20
    assert (target.serves, target.there) == ({OLD: 100}, {OLD})


def test_a_candidate_that_is_much_slower_goes_back() -> None:
    story = rolled_out(a_rollout(strategy=CANARY), a_target(latency_ms=900.0))
    assert [step.verdict for step in story.result.canary] == [CanaryVerdict.SLOW]


@pytest.mark.parametrize(("rule", "deployed"), [(WithoutTraffic.GO_ON, True), (WithoutTraffic.BACK, False)])
def test_little_traffic_goes_on_or_back_as_the_pipeline_says(rule: WithoutTraffic, deployed: bool) -> None:
    target = a_target()
    target.requests_per_second = 0.5
    story = rolled_out(a_rollout(strategy=replace(CANARY, without_traffic=rule, least_requests=200)), target)
    assert story.result.deployed is deployed
    assert {step.verdict for step in story.result.canary} == {CanaryVerdict.INCONCLUSIVE}


def test_a_candidate_that_dies_after_the_switch_goes_back() -> None:
    target = a_target(dies_after=20)
    story = rolled_out(a_rollout(strategy=Strategy(watch_seconds=60)), target)

    assert (story.result.deployed, story.result.restored, story.result.phase) == (False, True, RolloutPhase.WATCHING)
    assert target.serves == {OLD: 100}


def test_a_stable_release_that_is_gone_is_replaced_at_once() -> None:
    target = a_target()
    target.lose(OLD)
    story = rolled_out(a_rollout(strategy=CANARY), target)
    assert story.result.deployed
    assert target.serves == {NEW: 100}


def test_a_stable_release_that_dies_in_the_canary_is_not_the_candidates_fault() -> None:
    target = a_target()
    target.behaviours[OLD] = Behaviour(dies_after=24 * 3600 + 40)
    story = rolled_out(a_rollout(strategy=CANARY), target)
    assert story.result.deployed
    assert weights(story)[-1] == {NEW: 100}, "nothing that is ill stays beside it"


def test_what_serves_already_is_only_watched() -> None:
    target = ScriptedTarget()
    target.serve(NEW, IMAGE)
    story = rolled_out(a_rollout(strategy=CANARY), target)
    assert (story.result.deployed, weights(story)) == (True, [{NEW: 100}])


def test_what_serves_already_and_is_ill_is_not_taken_away() -> None:
    target = ScriptedTarget(behaviours={NEW: Behaviour(trouble="it hangs")})
    target.serve(NEW, IMAGE)
    story = rolled_out(a_rollout(), target)
    assert not story.result.deployed
    assert not story.result.restored
    assert target.there == {NEW}


def test_the_rest_of_an_interrupted_canary_is_told_from_the_stable_release() -> None:
    target = a_target()
    target.apply(
        ServingPlan(
            target="hub-vm",
            pipeline="breast-cancer",
            releases=(a_planned(OLD, 25), a_planned("breast-cancer-other-1", 75)),
        )
    )
    target.wait(10)
    story = rolled_out(a_rollout(champion=OLD), target)
    assert (story.result.before, weights(story)[0]) == (OLD, {OLD: 100, NEW: 0})


def a_planned(run_id: str, weight: int) -> PlannedRelease:
    return PlannedRelease(run_id=run_id, image=f"registry/m@sha256:{run_id}", weight=weight)


def test_a_refused_signature_leaves_the_target_as_it_was() -> None:
    target = a_target()
    story = rolled_out(a_rollout(), target, troubles=lambda number, _: Trouble.REFUSED if number < 2 else None)
    assert (story.result.deployed, story.result.restored) == (False, True)
    assert story.result.reason == "no signature that is trusted"
    assert (target.serves, target.there) == ({OLD: 100}, {OLD})


def test_a_target_that_is_away_is_not_touched() -> None:
    story = rolled_out(a_rollout(), a_target(), troubles=lambda *_: Trouble.ERROR)
    result = story.result
    assert (result.deployed, result.touched, result.failure_kind) == (False, False, FailureKind.OUTSIDE)


def test_a_target_that_stays_away_is_left_to_the_reconciler() -> None:
    target = a_target()

    def away(state: RolloutState, _: ScriptedTarget) -> None:
        if state.phase is RolloutPhase.CANARY:
            target.reboot(1e6)

    story = rolled_out(a_rollout(strategy=CANARY), target, meanwhile=away)
    assert (story.result.deployed, story.result.restored) == (False, False)
    assert "the app brings it back" in story.result.reason


def test_a_reboot_in_the_canary_is_nobodys_fault() -> None:
    target = a_target()
    rebooted: list[bool] = []

    def once(state: RolloutState, _: ScriptedTarget) -> None:
        if state.phase is RolloutPhase.CANARY and state.settled_at and not rebooted:
            rebooted.append(True)
            target.reboot(30)

    story = rolled_out(a_rollout(strategy=CANARY), target, meanwhile=once)
    assert (rebooted, story.result.deployed) == ([True], True)


@pytest.mark.parametrize("code", [Code.RUN_ENDED, Code.RUN_CANCELLED, Code.PIPELINE_RETIRED])
def test_a_run_whose_targets_are_no_longer_its_own_changes_nothing_more(code: Code) -> None:
    state = RolloutState(phase=RolloutPhase.CANARY, since=START)
    _, action = advance(a_rollout(), state, Failed("it was cancelled", None, code), START)
    assert isinstance(action, Finish)
    assert (action.result.deployed, action.result.reason) == (False, "it was cancelled")


# Approval

RULE = ApprovalRule(seconds=7200, remind_seconds=3000)
YES = Approval(run_id=NEW, target="hub-vm", approved=True, by="ada", at=START)
NO = replace(YES, approved=False, reason="not before Monday")
UNDECIDED = Approval(run_id=NEW, target="hub-vm")


def test_a_decision_that_was_read_while_the_time_ran_out_is_read_again() -> None:
    """The first reading recorded nothing, so somebody may have decided since."""
    rollout = a_rollout(approval=RULE)
    state, _ = advance(rollout, RolloutState(), Began(), START)
    over = START + timedelta(seconds=RULE.seconds)

    state, action = advance(rollout, state, Decided(UNDECIDED, final=False), over)
    assert action == ReadDecision()
    state, action = advance(rollout, state, Decided(YES), over)
    assert state.approval == YES


def test_somebody_who_approves_lets_it_begin() -> None:
    story = rolled_out(a_rollout(approval=RULE), a_target(), decisions=[UNDECIDED, UNDECIDED, YES])
    assert story.phases[0] is RolloutPhase.APPROVAL
    assert (story.result.deployed, story.result.approval) == (True, YES)


def test_a_decision_that_was_there_already_is_not_asked_for() -> None:
    story = rolled_out(a_rollout(approval=RULE), a_target(), decisions=[YES])
    assert not [action for _, action in story.steps if isinstance(action, AnnounceWish)]


def test_somebody_who_rejects_keeps_the_target_as_it_is() -> None:
    story = rolled_out(a_rollout(approval=RULE), a_target(), decisions=[UNDECIDED, NO])
    result = story.result
    assert (result.deployed, result.touched, result.failure_kind) == (False, False, None)
    assert result.reason == "ada rejected it: not before Monday"
    assert weights(story) == []


def test_a_roll_out_that_is_superseded_while_it_waits_touches_nothing_and_was_rejected_by_nobody() -> None:
    superseded = replace(UNDECIDED, approved=False, superseded_by="run-2", reason="it is ready", at=START)
    result = rolled_out(a_rollout(approval=RULE), a_target(), decisions=[UNDECIDED, superseded]).result
    assert (result.deployed, result.touched, result.failure_kind) == (False, False, None)
    assert result.approval == superseded
    assert "run-2 (it is ready); nobody rejected it" in result.reason


@pytest.mark.parametrize("otherwise", Otherwise)
def test_when_nobody_decides_the_default_answer_counts(otherwise: Otherwise) -> None:
    target = a_target()
    story = rolled_out(a_rollout(approval=replace(RULE, otherwise=otherwise)), target)
    assert story.result.deployed is (otherwise is Otherwise.APPROVE)
    numbers = [action.number for _, action in story.steps if isinstance(action, AnnounceWish)]
    assert numbers == [1, 2, 3], "at once, and after each reminder's time"
    assert 7200 <= (target.now - START).total_seconds() < 7300
