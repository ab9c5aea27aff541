from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrations.reach_goal import reach_goal
from shared.errors import Code
from shared.messages import ApplyPlan, Done, GoalEnd, PlannedRelease, ReturnPlan, ServingPlan, TargetGoal
from shared.values.wire import from_wire, to_wire
from tests.support.memory_target import MemoryTarget
from tests.support.workflow import START, Played, play, refusal, value

BEFORE = PlannedRelease(run_id="churn-1", image="r/m@sha256:1", weight=100)
PLAN = ServingPlan(target="hub-vm", pipeline="churn", releases=(BEFORE,))
GOAL = TargetGoal(target="hub-vm", pipeline="churn", by="churn-2-wind-up", plan=PLAN)


def story(target: MemoryTarget, goal: TargetGoal = GOAL, **changes: Any) -> tuple[Played, GoalEnd | None]:
    def apply(command: dict[str, Any]) -> dict[str, Any]:
        target.apply(from_wire(ApplyPlan, command).plan)
        return value(Done())

    answers = {"apply_plan": apply, "observe_target": lambda _: value(target.observe("churn"))}
    run = play(reach_goal, goal, answers=answers | changes)
    return run, from_wire(GoalEnd, run.output) if run.output else None


def test_a_plan_is_applied_until_it_is_observed() -> None:
    target = MemoryTarget(slow=3)

    run, end = story(target)

    assert end == GoalEnd(target="hub-vm", reached=True, changed=True, plan=PLAN)
    assert target.plans[-1].releases == PLAN.releases
    assert run.asked[-1] == "observe_target", "nothing is believed that was not seen"


def test_it_is_written_down_even_when_the_target_runs_it_already() -> None:
    target = MemoryTarget(plans=[PLAN], _looks={"churn-1": 0})

    run, end = story(target)

    assert end is not None
    assert end.reached
    assert run.asked == ["observe_target", "apply_plan", "observe_target"]


def test_a_run_that_has_nothing_there_is_not_looked_for_twice() -> None:
    goal = TargetGoal(target="hub-vm", pipeline="churn", by="churn-2-wind-up", without="churn-2")

    run, end = story(MemoryTarget(), goal, plan_return=value(ReturnPlan()))

    assert end == GoalEnd(target="hub-vm", reached=True)
    assert run.asked == ["plan_return"]


def test_the_plan_that_follows_from_what_is_there_is_the_goal() -> None:
    goal = TargetGoal(target="hub-vm", pipeline="churn", by="churn-2-wind-up", without="churn-2")

    run, end = story(MemoryTarget(), goal, plan_return=value(ReturnPlan(plan=PLAN)))

    assert end is not None
    assert (end.reached, end.plan) == (True, PLAN)
    assert run.asked.count("plan_return") == 1


def test_a_plan_that_came_too_late_is_made_anew_from_what_is_there_now() -> None:
    target = MemoryTarget()
    replies: list[Any] = [refusal(Code.STALE_PLAN, "made for an older revision")]

    def apply(command: dict[str, Any]) -> Any:
        if replies:
            return replies.pop()
        target.apply(from_wire(ApplyPlan, command).plan)
        return value(Done())

    _, end = story(target, apply_plan=apply)

    assert end is not None
    assert end.reached


def test_what_waiting_cannot_mend_ends_it_with_the_targets_own_words() -> None:
    _, end = story(MemoryTarget(ill={"churn-1": "ran out of memory"}))

    assert end is not None
    assert not end.reached
    assert "ran out of memory" in end.trouble


def test_a_release_that_stood_by_and_died_is_started_again_before_it_is_given_up() -> None:
    standing_by = replace(PLAN, releases=(replace(BEFORE, weight=0),))
    target = MemoryTarget(plans=[standing_by], _looks={"churn-1": 0}, ill={"churn-1": "ran out of memory"})

    def apply(command: dict[str, Any]) -> dict[str, Any]:
        target.ill.clear()  # it is started again
        target.apply(from_wire(ApplyPlan, command).plan)
        return value(Done())

    _, end = story(target, apply_plan=apply)

    assert end is not None
    assert end.reached


@pytest.mark.parametrize("code", [Code.SIGNATURE_REFUSED, Code.UNKNOWN_RELEASE, Code.TARGET_NOT_PREPARED])
def test_what_is_refused_stays_refused(code: Code) -> None:
    _, end = story(MemoryTarget(), apply_plan=refusal(code, "no"))

    assert end is not None
    assert (end.reached, end.trouble) == (False, "no")


def test_a_target_that_does_not_answer_is_looked_at_again_with_a_bounded_history() -> None:
    run, end = story(MemoryTarget(), observe_target=Exception("no route to host"))

    assert end is None
    again = from_wire(TargetGoal, run.context.continued_with)
    assert "no route to host" in again.trouble
    assert again.until == START + timedelta(seconds=GOAL.seconds)
    assert len(run.asked) <= 20


def test_time_ends_it_with_the_last_trouble() -> None:
    run, end = story(MemoryTarget(), observe_target=Exception("no route to host"))
    while end is None:
        run = play(
            reach_goal,
            run.context.continued_with,
            answers={"observe_target": Exception("no route to host")},
            start=run.context.current_utc_datetime,
        )
        end = from_wire(GoalEnd, run.output) if run.output else None

    assert not end.reached
    assert "no route to host" in end.trouble
    assert to_wire(end)["plan"] == to_wire(PLAN)
