"""Build the plan that a run carries from its pipeline's file, and the sentence about a granted run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.messages import (
    ApprovalRule,
    Certainty,
    Column,
    DeliveryRule,
    FrozenJob,
    Plan,
    PromotionRule,
    QueueRule,
    Resources,
    RunRequest,
    ServingResources,
    Strategy,
    TargetPlan,
    TrainingLimits,
    Workload,
)
from shared.values.texts import counted

if TYPE_CHECKING:
    from shared.pipelines import Pipeline


def trained_in(run: RunRequest) -> str:
    """The sentence that a run was granted, and what it trains on."""
    again = f", attempt {run.attempt}," if run.attempt > 1 else ""
    return f"run {run.run_id}{again} trains on {counted(run.snapshot.blobs, 'file')}"


def plan_of(pipeline: Pipeline, job: FrozenJob) -> Plan:
    """What a run needs of the pipeline's file, and which code, frozen at admission."""
    train, judge = pipeline.train, pipeline.judge
    return Plan(
        compute=train.compute,
        limits=TrainingLimits(
            queued_seconds=train.queued_limit_seconds,
            running_seconds=train.running_limit_seconds,
            expected_seconds=train.expected_seconds,
        ),
        rule=PromotionRule(
            metric=judge.metric,
            higher_is_better=judge.direction == "higher",
            floor=judge.floor,
            margin=judge.margin,
            drift_limit=max(0.0, -judge.margin) if judge.drift_limit is None else judge.drift_limit,
            without_comparison=judge.without_comparison,
            certainty=Certainty(**judge.certainty.model_dump()) if judge.certainty else None,
        ),
        targets=targets_of(pipeline),
        queue=QueueRule(policy=train.queue.policy, priority=train.queue.priority),
        quarantine_after=train.quarantine_after,
        job=job,
        model=pipeline.deliver.model,
        leave_out_faulty=pipeline.data.leaves_out_faulty,
        workload=workload_of(pipeline),
        delivery=delivery_rule_of(pipeline),
        prefix=pipeline.data.prefix,
        holdout=pipeline.data.holdout,
    )


def needs_the_same(pipeline: Pipeline, run: RunRequest) -> bool:
    """Whether a training of the pipeline, as its file is now, needs what that of the run does: data, compute, limits.

    Not its code. Of runs from before, the hold-out's name is not known, and counts as the same.
    """
    data, train, plan = pipeline.data, pipeline.train, run.plan
    return (
        (data.site, data.container) == (run.snapshot.site, run.snapshot.container)
        and (not plan.holdout or (data.prefix, data.holdout) == (plan.prefix, plan.holdout))
        and (train.compute, train.running_limit_seconds) == (plan.compute, plan.limits.running_seconds)
        and workload_of(pipeline) == plan.workload
    )


def targets_of(pipeline: Pipeline) -> tuple[TargetPlan, ...]:
    """Where the pipeline's models are rolled out to."""
    return tuple(
        TargetPlan(name=target.name, health_seconds=target.health_seconds) for target in pipeline.deliver.targets
    )


def delivery_rule_of(pipeline: Pipeline) -> DeliveryRule:
    """How the pipeline's models are rolled out."""
    deliver = pipeline.deliver
    approval = deliver.approval
    return DeliveryRule(
        max_parallel=deliver.max_parallel,
        on_failure=deliver.on_failure,
        strategy=Strategy(**deliver.strategy.model_dump()),
        approval=ApprovalRule(
            seconds=approval.hours * 3600, otherwise=approval.otherwise, remind_seconds=approval.remind_hours * 3600
        )
        if approval
        else None,
        resources=ServingResources(**deliver.resources.model_dump()),
    )


def workload_of(pipeline: Pipeline) -> Workload:
    """What runs in the containers of the pipeline's trainings."""
    return Workload(
        train=pipeline.train.command,
        evaluate=pipeline.evaluate.command,
        resources=Resources(**pipeline.train.resources.model_dump()),
        data_format=pipeline.data.format,
        columns={name: Column(**column.model_dump()) for name, column in pipeline.data.columns.items()},
        model_format=pipeline.model.format,
    )
