"""Build the messages of a run (training order, judgement, lineage, roll-out) from its request and its record. Pure."""

from shared.decisions.delivery.superseding import NEWER_AND_READY, RESUMED
from shared.decisions.promotion.judgement import Challenger, judge
from shared.decisions.promotion.judgement_by_record import judge_by_record
from shared.messages import (
    FAIR_COMPARISON_SCHEMA,
    PLANNED_ROLLOUT,
    SEALED_SCHEMA,
    Champion,
    ChampionMeasurement,
    Comparison,
    Judgement,
    Lineage,
    Rollout,
    RunRecord,
    RunRequest,
    TargetPlan,
    TrainingOrder,
)

USUAL_LEVEL = 0.95
"""Of the interval that is shown when the pipeline asks for none."""


def training_order(request: RunRequest, champion: Champion | None) -> TrainingOrder:
    """``champion``: whose model serves when the training begins; a run is never compared with itself."""
    other = champion if champion is not None and champion.run_id != request.run_id else None
    return TrainingOrder(
        run_id=request.run_id,
        pipeline=request.pipeline,
        compute=request.plan.compute,
        snapshot=request.snapshot,
        parameters=request.parameters,
        fingerprint=request.fingerprint,
        job=request.plan.job,
        running_seconds=request.plan.limits.running_seconds,
        champion=other.run_id if other else None,
        evaluator=request.evaluator,
        judged_metric=request.plan.rule.metric,
        leave_out_faulty=request.plan.leave_out_faulty,
        workload=request.plan.workload,
        level=request.plan.rule.certainty.level if request.plan.rule.certainty else USUAL_LEVEL,
        champion_image=(other.image or "") if other and request.schema >= SEALED_SCHEMA else "",
    )


def judgement_on(
    request: RunRequest, record: RunRecord, compared: ChampionMeasurement | None, champion: Champion
) -> Judgement:
    """The judgement on the run's model. Runs of schemas before the fair comparison are judged by the older rule."""
    rule = request.plan.rule
    if request.schema < FAIR_COMPARISON_SCHEMA:
        return judge_by_record(rule, record.metrics, champion, run_id=request.run_id)
    challenger = Challenger(
        run_id=request.run_id,
        metrics=record.metrics,
        holdout=request.snapshot.holdout,
        evaluator=request.evaluator,
        compared=compared,
    )
    return judge(rule, challenger, champion)


def why_it_takes_over(
    request: RunRequest, record: RunRecord, compared: ChampionMeasurement | None, champion_then: Champion | None
) -> str:
    """Why a run that only waits for approval gives way to this one; empty: it does not.

    It should not go for a model that is no better: so only when this one would be promoted over the champion that
    served when its training began. A run that somebody resumed has none, was judged before, and is wanted.
    """
    if champion_then is None:
        return RESUMED if request.continues else ""
    return NEWER_AND_READY if judgement_on(request, record, compared, champion_then).promoted else ""


def comparison_with(champion: Champion, compared: ChampionMeasurement | None) -> Comparison | None:
    """The comparison row by row, if it is with the champion that the run was judged against."""
    return compared.comparison if compared is not None and compared.run_id == champion.run_id else None


def lineage_of(request: RunRequest, record: RunRecord) -> Lineage:
    """The lineage of the run's model: of the run that trained it, so that one that goes on from there finds it."""
    return Lineage(
        run_id=request.training,
        pipeline=request.pipeline,
        fingerprint=request.fingerprint,
        snapshot_digest=request.snapshot.digest,
        blobs=request.snapshot.blobs,
        metrics=record.metrics,
        parameters=request.parameters,
        cause=request.cause,
        holdout=request.snapshot.holdout,
        evaluator=request.evaluator,
        attempt=request.attempt,
        site=request.snapshot.site,
        manifest=request.snapshot.manifest,
        code=request.plan.job.tree if request.plan.job else "",
        champion_before=record.champion_run_id or "",
    )


def rollout_to(target: TargetPlan, request: RunRequest, record: RunRecord) -> Rollout:
    """The roll-out of the run's image to one target; by plans also for runs that were admitted before there were any.

    These have the default rule: nobody has to approve, and all traffic moves at once.
    """
    rule = request.plan.delivery
    return Rollout(
        run_id=request.run_id,
        pipeline=request.pipeline,
        target=target.name,
        image=record.image or "",
        health_seconds=target.health_seconds,
        schema=PLANNED_ROLLOUT,
        strategy=rule.strategy,
        approval=rule.approval,
        resources=rule.resources,
        model=record.model or "",
        version=record.version or "",
        champion=record.champion_run_id,
        record=record if rule.approval else None,
    )
