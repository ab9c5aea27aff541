"""Polling orchestration: have one target run a plan, and see that it does; bounded history.

A round looks, compares and applies again: a crash, a lost answer and a stale plan are one case. Time ends it, and so
does what waiting cannot mend. It never raises for errors of outside services: its caller goes on with other targets.
"""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from orchestrations.progress import gave_up, report
from shared.contracts import APPLY_PLAN, OBSERVE_TARGET, PLAN_RETURN
from shared.decisions.delivery.goals import POLLS_PER_EXECUTION, difference, hopeless, is_fulfilled, pause_after
from shared.errors import Code, PermanentError
from shared.messages import ApplyPlan, GoalEnd, ObserveTarget, ReturnQuery, Stage, TargetGoal
from shared.values.wire import from_wire, to_wire

NAME = "reach_goal"


def reach_goal(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Output: a ``GoalEnd``."""
    goal = from_wire(TargetGoal, context.get_input())
    if goal.until is None:
        goal = replace(goal, until=context.current_utc_datetime + timedelta(seconds=goal.seconds))
    for _ in range(POLLS_PER_EXECUTION):
        goal = replace(goal, polls=goal.polls + 1)
        try:
            goal, end = yield from _round(context, goal)
        except PermanentError as error:
            # A newer plan was there: the next look sees it. Whatever else is refused stays refused.
            end = None if error.code is Code.STALE_PLAN else _failed(goal, error.reason)
            goal = replace(goal, trouble=error.reason)
        except Exception as error:  # noqa: BLE001 - retries ran out; the SDK knows no narrower type
            end, goal = None, replace(goal, trouble=gave_up(error))
        if end is None and goal.until is not None and context.current_utc_datetime >= goal.until:
            end = _failed(goal, goal.trouble)
        if end is not None:
            return to_wire(end)
        report(context, Stage.ROLLING_OUT, target=goal.target, doing="bringing it to its plan", reason=goal.trouble)
        yield context.create_timer(context.current_utc_datetime + pause_after(goal.polls))
    context.continue_as_new(to_wire(goal))
    return None


def _round(
    context: df.DurableOrchestrationContext, goal: TargetGoal
) -> Generator[Any, Any, tuple[TargetGoal, GoalEnd | None]]:
    """Look at the target once, and apply the plan unless it is fulfilled."""
    if goal.plan is None:
        query = ReturnQuery(target=goal.target, pipeline=goal.pipeline, without=goal.without)
        wanted = yield from PLAN_RETURN.call(context, query)
        if wanted.plan is None:
            return goal, GoalEnd(target=goal.target, reached=True)
        goal = replace(goal, plan=wanted.plan)
    assert goal.plan is not None  # noqa: S101 - for the type checker
    serving = yield from OBSERVE_TARGET.call(context, ObserveTarget(target=goal.target, pipeline=goal.pipeline))
    if is_fulfilled(goal.plan, serving) and goal.polls > 1:
        return goal, GoalEnd(target=goal.target, reached=True, changed=True, plan=goal.plan)
    if goal.polls > 1:  # a release that stood by and died is started again when it is to get traffic
        ill = hopeless(goal.plan, serving)
        if ill:
            return goal, _failed(goal, ill)
    yield from APPLY_PLAN.call(context, ApplyPlan(plan=replace(goal.plan, based_on=serving.revision), by=goal.by))
    return replace(goal, trouble=f"{goal.target} {difference(goal.plan, serving)}"), None


def _failed(goal: TargetGoal, trouble: str) -> GoalEnd:
    return GoalEnd(target=goal.target, reached=False, changed=True, plan=goal.plan, trouble=trouble)
