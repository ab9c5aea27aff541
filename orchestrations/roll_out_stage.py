"""The roll-out of a run to all of its targets, by plans: some at a time, and back everywhere when the pipeline asks."""

from collections.abc import Generator, Sequence
from typing import Any

import azure.durable_functions as df

from orchestrations import reach_goal
from orchestrations.progress import report
from orchestrations.run_messages import rollout_to
from shared.decisions.delivery.together import must_all_go_back, not_begun, waves, went_back
from shared.messages import GoalEnd, RunRecord, RunRequest, Stage, TargetGoal, TargetPlan, TargetResult
from shared.orchestration_ids import goal_id, roll_out_id
from shared.values.wire import from_wire, to_wire

Results = Generator[Any, Any, list[TargetResult]]


def roll_out_to_all(context: df.DurableOrchestrationContext, request: RunRequest, record: RunRecord) -> Results:
    """How it ended at each target, in the order of the plan."""
    results: list[TargetResult] = []
    targets, rule = request.plan.targets, request.plan.delivery
    for wave in waves(targets, rule.max_parallel):
        if must_all_go_back(rule, results):
            results += [not_begun(target, results) for target in wave]
        else:
            results += yield from _begin(context, request, record, wave)
    if must_all_go_back(rule, results):
        results = yield from _bring_back(context, request, results)
    return results


def _begin(
    context: df.DurableOrchestrationContext, request: RunRequest, record: RunRecord, targets: Sequence[TargetPlan]
) -> Results:
    replies = yield context.task_all(
        [
            context.call_sub_orchestrator(
                "roll_out", to_wire(rollout_to(target, request, record)), roll_out_id(request, target.name)
            )
            for target in targets
        ]
    )
    return [from_wire(TargetResult, reply) for reply in replies]


def _bring_back(
    context: df.DurableOrchestrationContext, request: RunRequest, results: Sequence[TargetResult]
) -> Results:
    """Targets that had succeeded go back too, because another one failed."""
    names = [result.target for result in results if result.deployed]
    if not names:
        return list(results)
    report(context, Stage.ROLLING_OUT, doing="going back at the other targets too", returning=names)
    goals = [
        TargetGoal(target=name, pipeline=request.pipeline, by=request.run_id, without=request.run_id) for name in names
    ]
    replies = yield context.task_all(
        [
            context.call_sub_orchestrator(reach_goal.NAME, to_wire(goal), goal_id(request.run_id, goal.target))
            for goal in goals
        ]
    )
    ends = {end.target: end for end in (from_wire(GoalEnd, reply) for reply in replies)}
    return [went_back(result, ends[result.target], results) if result.deployed else result for result in results]
