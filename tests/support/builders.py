"""Messages with sensible values; a test names only what it is about."""

from dataclasses import replace
from typing import Any

from shared.messages import (
    Cause,
    Champion,
    Column,
    ColumnKind,
    Plan,
    PromotionRule,
    RunRequest,
    Snapshot,
    TargetPlan,
    TrainedModel,
    TrainingLimits,
    TrainingOrder,
    TrainingPoll,
    Workload,
)
from tests.support.workflow import START

FINGERPRINT = "ab" * 32


def a_snapshot(**changes: Any) -> Snapshot:
    snapshot = Snapshot(
        site="factory",
        container="breast-cancer",
        manifest=f"breast-cancer/{'cd' * 32}.json",
        digest="cd" * 32,
        blobs=3,
        size=12_345,
    )
    return replace(snapshot, **changes)


def a_plan(**changes: Any) -> Plan:
    plan = Plan(
        compute="hub-vm",
        limits=TrainingLimits(queued_seconds=600, running_seconds=1200, expected_seconds=60),
        rule=PromotionRule(metric="accuracy", higher_is_better=True, floor=0.9, margin=0.0),
        targets=(TargetPlan(name="hub-vm", health_seconds=30),),
    )
    return replace(plan, **changes)


def a_workload(**changes: Any) -> Workload:
    workload = Workload(
        train="python train.py --data ${{inputs.data}} --model ${{outputs.model}}",
        evaluate="python evaluate.py --model ${{inputs.model}} --holdout ${{inputs.holdout}}"
        " --out ${{outputs.evaluation}}",
        columns={
            "mean_radius": Column(kind=ColumnKind.NUMBER),
            "label": Column(kind=ColumnKind.INTEGER, values=(0, 1)),
        },
    )
    return replace(workload, **changes)


def a_run_request(**changes: Any) -> RunRequest:
    request = RunRequest(
        run_id=f"breast-cancer-{FINGERPRINT[:12]}-1",
        pipeline="breast-cancer",
        attempt=1,
        fingerprint=FINGERPRINT,
        snapshot=a_snapshot(),
        plan=a_plan(),
        cause=Cause.NEW_DATA,
        requested_by="window-1",
        requested_at=START,
    )
    return replace(request, **changes)


def a_training_order(**changes: Any) -> TrainingOrder:
    request = a_run_request()
    order = TrainingOrder(
        run_id=request.run_id,
        pipeline=request.pipeline,
        compute="hub-vm",
        snapshot=request.snapshot,
        parameters={},
        fingerprint=request.fingerprint,
    )
    return replace(order, **changes)


def a_training_poll(**changes: Any) -> TrainingPoll:
    return replace(TrainingPoll(order=a_training_order(), limits=a_plan().limits), **changes)


def a_trained_model(**changes: Any) -> TrainedModel:
    trained = TrainedModel(
        run_id=a_run_request().run_id,
        pipeline="breast-cancer",
        metrics={"accuracy": 0.95},
        model_path="outputs/model",
    )
    return replace(trained, **changes)


def a_champion(**changes: Any) -> Champion:
    champion = Champion(
        pipeline="breast-cancer", run_id="breast-cancer-0000-1", model="m", version="1", metrics={"accuracy": 0.93}
    )
    return replace(champion, **changes)
