import json
from typing import Any

import pytest

from orchestrations.progress import gave_up
from shared.decisions.snapshots.omissions import described
from shared.errors import Code
from shared.messages import (
    FailureKind,
    LeftOut,
    Outcome,
    RunRecord,
    Stage,
    TargetPlan,
    TargetResult,
    TrainingEnd,
    TrainingPhase,
)
from shared.values.wire import from_wire, to_text, to_wire
from tests.support.builders import a_plan, a_snapshot, a_trained_model
from tests.support.jobs import A_FROZEN_JOB
from tests.support.retraining import DEPLOYED, IMAGE, story
from tests.support.workflow import refusal, value


def test_a_better_challenger_is_registered_containerized_and_rolled_out() -> None:
    run, record = story()

    assert record.outcome is Outcome.PROMOTED
    assert (record.model, record.version, record.image) == ("breast-cancer", "2", IMAGE.reference)
    assert record.targets[0].endpoint == "http://vm:8400"
    assert run.asked == [
        "await_training",
        "collect_training",
        "read_champion",
        "guarded_step",
        "guarded_step",
        "roll_out",
        "record_run",
    ]
    stages = [status["stage"] for status in run.context.statuses]
    assert stages == ["training", "judging", "delivering", "rolling_out", "recording", "done"]


def test_every_step_gets_what_the_run_was_admitted_with() -> None:
    plan = a_plan(job=A_FROZEN_JOB, model="as-it-was")
    run, _ = story(request={"plan": plan})

    [trained] = run.commands["await_training"]
    order = trained["input"]["order"]
    steps = [asked["input"]["command"] for asked in run.commands["guarded_step"]]
    assert (order["job"], order["running_seconds"]) == (to_wire(A_FROZEN_JOB), plan.limits.running_seconds)
    assert steps[0]["name"] == "as-it-was"
    assert steps[1]["job"] == to_wire(A_FROZEN_JOB)


def test_a_weak_challenger_is_never_registered() -> None:
    run, record = story(collect_training=value(a_trained_model(metrics={"accuracy": 0.41})))

    assert record.outcome is Outcome.NOT_PROMOTED
    assert "misses the floor" in record.reason
    assert "guarded_step" not in run.asked
    assert run.asked[-1] == "record_run"


@pytest.mark.parametrize(
    ("change", "outcome", "stage", "reason"),
    [
        (
            {"await_training": to_wire(TrainingEnd(phase=TrainingPhase.FAILED, reason="job.py exited with 1"))},
            Outcome.FAILED,
            Stage.TRAINING,
            "training: job.py exited with 1",
        ),
        (
            {"await_training": to_wire(TrainingEnd(phase=TrainingPhase.CANCELLED))},
            Outcome.CANCELLED,
            Stage.TRAINING,
            "training: it was cancelled in Azure ML",
        ),
        (
            {"collect_training": refusal(Code.TRAINING_OUTPUT_MISSING, "no outputs/model")},
            Outcome.FAILED,
            Stage.TRAINING,
            "training: no outputs/model",
        ),
        (
            {"read_champion": Exception("tables down\nstack")},
            Outcome.FAILED,
            Stage.JUDGING,
            f"judging: {gave_up(Exception('tables down'))}",
        ),
        (
            {"build_image": refusal(Code.DEPENDENCY_IMAGE_MISSING, "build it first")},
            Outcome.FAILED,
            Stage.DELIVERING,
            "delivering: build it first",
        ),
        (
            {"register_model": Exception("Azure ML answers 503")},
            Outcome.FAILED,
            Stage.DELIVERING,
            f"delivering: {gave_up(Exception('Azure ML answers 503'))}",
        ),
        (
            {"roll_out": to_wire(TargetResult(target="hub-vm", deployed=False, reason="unhealthy"))},
            Outcome.ROLLED_BACK,
            Stage.ROLLING_OUT,
            "rolling_out: hub-vm: unhealthy",
        ),
    ],
)
def test_trouble_ends_in_one_recorded_outcome_that_names_the_stage(
    change: dict[str, Any], outcome: Outcome, stage: Stage, reason: str
) -> None:
    run, record = story(**change)

    assert (record.outcome, record.stage) == (outcome, stage)
    assert record.reason.startswith(reason)
    assert run.asked.count("record_run") == 1
    assert from_wire(RunRecord, run.commands["record_run"][0]) == record


def test_when_registration_worked_and_the_image_did_not_the_record_still_names_the_version() -> None:
    _, record = story(build_image=refusal(Code.REGISTRY_REFUSED, "wrong password"))

    assert (record.outcome, record.version, record.image) == (Outcome.FAILED, "2", None)


def test_one_failing_target_of_two_leaves_the_other_and_is_named() -> None:
    targets = (TargetPlan(name="hub-vm", health_seconds=9), TargetPlan(name="line-2", health_seconds=9))
    results = {"hub-vm": DEPLOYED, "line-2": to_wire(TargetResult(target="line-2", deployed=False, reason="no SSH"))}

    _, record = story(
        request={"plan": a_plan(targets=targets)}, roll_out=lambda asked: results[asked["input"]["target"]]
    )

    assert record.outcome is Outcome.PROMOTED
    assert "line-2: no SSH" in record.reason
    assert "force" in record.reason
    assert [result.deployed for result in record.targets] == [True, False]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"collect_training": refusal(Code.TRAINING_OUTPUT_MISSING, "no outputs/model")}, FailureKind.CODE),
        ({"build_image": refusal(Code.DEPENDENCY_IMAGE_MISSING, "build it first")}, FailureKind.OUTSIDE),
        ({"build_image": refusal(Code.MODEL_MISSING, "left no file")}, FailureKind.UNKNOWN),
        ({"register_model": Exception("Azure ML answers 503")}, FailureKind.OUTSIDE),
        ({"read_champion": Exception("tables down")}, FailureKind.OUTSIDE),
    ],
)
def test_a_failure_says_whose_matter_it_is(change: dict[str, Any], kind: FailureKind) -> None:
    _, record = story(**change)

    assert (record.outcome, record.failure_kind, record.job_failed) == (Outcome.FAILED, kind, kind.counts)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_roll_out_that_failed_everywhere_says_whose_matter_it_is(kind: FailureKind) -> None:
    failed = TargetResult(target="hub-vm", deployed=False, reason="no", failure_kind=kind)

    _, record = story(roll_out=to_wire(failed))

    assert (record.outcome, record.failure_kind) == (Outcome.ROLLED_BACK, kind)


def test_a_thousand_metrics_are_bounded_before_anything_is_delivered_and_the_rest_is_counted() -> None:
    metrics = {f"recall of class {number}": 0.5 for number in range(5_000)} | {"accuracy": 0.97}

    run, record = story(collect_training=value(a_trained_model(metrics=metrics)))

    assert record.outcome is Outcome.PROMOTED
    assert record.metrics["accuracy"] == 0.97
    assert len(record.metrics) <= 100
    assert f"{5_001 - len(record.metrics)} of 5001 metrics are not kept" in record.reason
    for asked in run.commands["guarded_step"]:
        assert asked["input"]["command"]["lineage"]["metrics"] == record.metrics
    assert len(to_text(record)) < 32_000


def test_twenty_targets_that_fail_with_long_reasons_still_end_the_run() -> None:
    targets = tuple(TargetPlan(name=f"line-{number}", health_seconds=9) for number in range(20))

    def fail(asked: Any) -> Any:
        return to_wire(TargetResult(target=asked["input"]["target"], deployed=False, reason="no answer; " * 200))

    run, record = story(request={"plan": a_plan(targets=targets)}, roll_out=fail)

    assert record.outcome is Outcome.ROLLED_BACK
    assert len(to_text(record)) < 32_000
    assert [result.target for result in record.targets] == [target.name for target in targets]
    for status in run.context.statuses:
        assert len(json.dumps(status).encode("utf-16")) < 16 * 1024


def test_what_the_listing_and_the_training_left_out_is_in_the_record_and_in_the_reason() -> None:
    growing = LeftOut(why="still_written", count=1, first=("landing/log.csv",))
    changed = LeftOut(why="changed", count=2, first=("landing/a.csv", "landing/b.csv"))
    snapshot = a_snapshot(left_out=(growing,))

    _, record = story(request={"snapshot": snapshot}, collect_training=value(a_trained_model(left_out=(changed,))))

    assert record.outcome is Outcome.PROMOTED
    assert record.left_out == (growing, changed)
    assert record.reason.endswith(described((growing, changed)))


def test_the_order_has_what_the_plan_says_of_metric_and_faulty_files() -> None:
    run, _ = story(request={"plan": a_plan(leave_out_faulty=True)})

    [trained] = run.commands["await_training"]
    order = trained["input"]["order"]
    assert (order["judged_metric"], order["leave_out_faulty"]) == ("accuracy", True)
