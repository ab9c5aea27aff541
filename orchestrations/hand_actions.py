"""What operators have done to what serves, outside of any run: roll a target back, retire a pipeline.

Both take the delivery of the pipeline first, so that no run rolls out meanwhile, and bring targets to plans until that
is seen. Their end is in the ledger, whatever happens.
"""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import azure.durable_functions as df

from orchestrations import await_compute, reach_goal
from orchestrations.failures import failure_of
from orchestrations.progress import report
from shared.contracts import ANNOUNCE_ACTION, CONCLUDE_ACTION, END_ACTION, PLAN_ROLL_BACK
from shared.decisions.delivery import action_sentences as said
from shared.decisions.delivery.superseding import why_it_takes_over
from shared.messages import (
    Action,
    ActionEnd,
    ActionKind,
    ComputeTicket,
    EndedAction,
    GoalEnd,
    QueueRule,
    RollBackPlan,
    ServingPlan,
    Stage,
    TargetGoal,
    Turn,
    delivery_of,
)
from shared.orchestration_ids import delivery_id, goal_id
from shared.values.wire import from_wire, to_wire

ROLL_BACK, RETIRE = "roll_target_back", "retire_from_targets"  # an HTTP operation is called roll_back
NAMES = {ActionKind.ROLL_BACK: ROLL_BACK, ActionKind.RETIRE: RETIRE}
"""The orchestration of each kind of action."""

GOAL_SECONDS = 300.0
"""Besides the time that a release may take to become healthy."""

Steps = Generator[Any, Any, Any]
Acted = Generator[Any, Any, tuple[ActionEnd, bool]]
"""The end, and whether something follows from it in the ledger."""


def roll_back(context: df.DurableOrchestrationContext) -> Steps:
    """Output: an ``ActionEnd``."""
    action = from_wire(Action, context.get_input())
    return (yield from _in_turn(context, action, _roll_back))


def retire(context: df.DurableOrchestrationContext) -> Steps:
    """Output: an ``ActionEnd``."""
    action = from_wire(Action, context.get_input())
    return (yield from _in_turn(context, action, _retire))


def _in_turn(context: df.DurableOrchestrationContext, action: Action, steps: Any) -> Steps:
    """Take the delivery, act, record what follows and the end, give the delivery back, and announce it.

    When targets obey and the ledger does not answer, this fails: the reconciler starts it again, and all is repeated.
    """
    concludes = False
    try:
        turn = await_compute.outcome((yield _wait(context, action)))
        if turn.turn is Turn.GRANTED:
            end, concludes = yield from steps(context, action)
        else:
            end = _end(context, action, done=False, sentence=said.no_turn(action, turn.reason))
    except Exception as error:  # noqa: BLE001 - refused for good, or retries ran out; the SDK knows no narrower type
        _, reason = failure_of(error)
        end = _end(context, action, done=False, sentence=said.failed(action, reason))
    if concludes:
        yield from CONCLUDE_ACTION.call(context, action)
    yield from END_ACTION.call(context, end)
    yield from await_compute.give_back(context, delivery_of(action.pipeline), action.action_id)
    if action.is_announced:
        with suppress(Exception):  # an announcement that cannot be sent is no reason to do all of it again
            yield from ANNOUNCE_ACTION.call(context, EndedAction(action=action, end=end))
    return to_wire(end)


def _wait(context: df.DurableOrchestrationContext, action: Action) -> Any:
    report(context, Stage.WAITING, doing="waiting for the pipeline's delivery")
    ticket = ComputeTicket(
        compute=delivery_of(action.pipeline),
        run_id=action.action_id,
        pipeline=action.pipeline,
        rule=QueueRule(priority=100),  # before runs that wait
        asked_at=action.asked_at,
        expected_seconds=await_compute.DELIVERY_SECONDS,
        takes_over=why_it_takes_over(action),
    )
    return await_compute.start_with(context, ticket, delivery_id(action.action_id))


def _roll_back(context: df.DurableOrchestrationContext, action: Action) -> Acted:
    report(context, Stage.ROLLING_OUT, target=action.target, doing="rolling back")
    plans: RollBackPlan = yield from PLAN_ROLL_BACK.call(context, action)
    goal = yield from _reach(context, action, plans.plan, goal_id(action.action_id, action.target))
    if goal.reached:
        return _end(context, action, done=True, sentence=said.rolled_back(action)), True
    back = yield from _reach(context, action, plans.before, goal_id(f"{action.action_id}-before", action.target))
    left = () if back.reached else (said.not_back(action.target, back.trouble),)
    return _end(context, action, done=False, sentence=said.stayed(action, goal.trouble), left=left), False


def _retire(context: df.DurableOrchestrationContext, action: Action) -> Acted:
    report(context, Stage.ROLLING_OUT, targets=list(action.targets), doing="taking its models out")
    tasks = [
        _goal(context, action, ServingPlan(target=target, pipeline=action.pipeline), goal_id(action.action_id, target))
        for target in action.targets
    ]
    replies = (yield context.task_all(tasks)) if tasks else []
    ends = [from_wire(GoalEnd, reply) for reply in replies]
    left = tuple(said.still_serves(end.target, end.trouble) for end in ends if not end.reached)
    return _end(context, action, done=not left, sentence=said.retired(action), left=left), True


def _reach(
    context: df.DurableOrchestrationContext, action: Action, plan: ServingPlan, instance_id: str
) -> Generator[Any, Any, GoalEnd]:
    reply = yield _goal(context, action, plan, instance_id)
    return from_wire(GoalEnd, reply)


def _goal(context: df.DurableOrchestrationContext, action: Action, plan: ServingPlan, instance_id: str) -> Any:
    goal = TargetGoal(
        target=plan.target,
        pipeline=action.pipeline,
        by=action.action_id,
        plan=plan,
        seconds=GOAL_SECONDS + action.health_seconds,
    )
    return context.call_sub_orchestrator(reach_goal.NAME, to_wire(goal), instance_id)


def _end(
    context: df.DurableOrchestrationContext, action: Action, *, done: bool, sentence: str, left: tuple[str, ...] = ()
) -> ActionEnd:
    at = context.current_utc_datetime
    return ActionEnd(action_id=action.action_id, done=done, sentence=sentence, ended_at=at, left=left)
