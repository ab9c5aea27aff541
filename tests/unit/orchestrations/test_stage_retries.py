"""Trouble outside after the training is waited for within the run: the model is there, and nothing is trained again."""

from datetime import datetime
from typing import Any

import pytest

from shared.decisions.training.retry_schedule import STAGE_RETRY_PAUSES
from shared.errors import Code
from shared.messages import QUEUE_SCHEMA, FailureKind, Outcome, RunRecord, TargetResult
from shared.values.wire import to_wire
from tests.support.builders import a_trained_model
from tests.support.retraining import CHAMPION, DEPLOYED, IMAGE, compared, fair_story
from tests.support.workflow import START, Played, refusal, value

DOWN = Exception("the service did not answer")
COLLECTED = compared(metrics={"accuracy": 0.91})
UNREACHED = to_wire(TargetResult(target="hub-vm", deployed=False, reason="no SSH", failure_kind=FailureKind.OUTSIDE))
STAGES: list[tuple[str, Any, Any, str]] = [
    ("collect_training", DOWN, COLLECTED, "training"),
    ("build_image", DOWN, value(IMAGE), "delivering"),
    ("build_image", refusal(Code.REGISTRY_REFUSED, "wrong password"), value(IMAGE), "delivering"),
    ("roll_out", UNREACHED, DEPLOYED, "rolling_out"),
]


def retried(step: str, answers: Any) -> tuple[Played, RunRecord]:
    """The story when a step gives these answers."""
    changes: dict[str, Any] = {step: answers}
    return fair_story(None, **changes)


def times(run: Played, step: str) -> int:
    """How often a step was done; those of the delivery are done two at a time, behind guards."""
    return run.asked.count("guarded_step") // 2 if step == "build_image" else run.asked.count(step)


def pauses(run: Played) -> list[dict[str, Any]]:
    return [status for status in run.context.statuses if "next_try_at" in status["progress"]]


@pytest.mark.parametrize(("step", "trouble", "answer", "stage"), STAGES)
def test_a_stage_is_tried_again_until_the_trouble_is_over_and_says_when(
    step: str, trouble: Any, answer: Any, stage: str
) -> None:
    run, record = retried(step, [trouble, trouble, answer])

    assert (record.outcome, record.failure_kind) == (Outcome.PROMOTED, None)
    assert run.asked.count("await_training") == 1
    assert times(run, step) == 3
    waited = pauses(run)
    assert [status["stage"] for status in waited] == [stage, stage]
    assert datetime.fromisoformat(waited[0]["progress"]["next_try_at"]) == START + STAGE_RETRY_PAUSES[0]
    assert [status["progress"]["tries"] for status in waited] == ["1 of 6", "2 of 6"]
    assert all(status["progress"]["reason"] for status in waited)
    assert run.context.current_utc_datetime == START + STAGE_RETRY_PAUSES[0] + STAGE_RETRY_PAUSES[1]


@pytest.mark.parametrize(("step", "trouble", "answer", "stage"), STAGES)
def test_it_ends_and_is_left_to_another_attempt(step: str, trouble: Any, answer: Any, stage: str) -> None:
    del answer
    run, record = retried(step, trouble)

    assert record.outcome is (Outcome.ROLLED_BACK if stage == "rolling_out" else Outcome.FAILED)
    assert record.failure_kind is FailureKind.OUTSIDE
    assert record.reason.startswith(f"{stage}: ")
    assert times(run, step) == len(STAGE_RETRY_PAUSES) + 1


def test_a_champion_that_cannot_be_read_is_waited_for_too() -> None:
    run, record = fair_story(read_champion=[value(CHAMPION), DOWN, value(CHAMPION)])

    assert record.outcome is Outcome.PROMOTED
    assert [status["stage"] for status in pauses(run)] == ["judging"]


@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        ("build_image", refusal(Code.MODEL_MISSING, "left no file")),
        ("collect_training", refusal(Code.TRAINING_OUTPUT_MISSING, "no outputs/model")),
        ("roll_out", to_wire(TargetResult(target="hub-vm", deployed=False, failure_kind=FailureKind.UNKNOWN))),
    ],
)
def test_what_is_not_outside_is_not_waited_for(step: str, trouble: Any) -> None:
    run, _ = retried(step, trouble)

    assert times(run, step) == 1
    assert pauses(run) == []


def test_a_fault_of_the_app_is_no_trouble_outside() -> None:
    run, record = fair_story(collect_training={"value": {"run_id": 7}})

    assert (record.outcome, record.failure_kind) == (Outcome.FAILED, FailureKind.UNKNOWN)
    assert record.reason.startswith("training: this is a fault of the app: ValueError: TrainedModel: field ")
    assert pauses(run) == []


def test_runs_from_before_end_as_they_did() -> None:
    better = value(a_trained_model(metrics={"accuracy": 0.99}))
    run, record = fair_story(request={"schema": QUEUE_SCHEMA}, collect_training=better, roll_out=UNREACHED)

    assert record.outcome is Outcome.ROLLED_BACK
    assert run.asked.count("roll_out") == 1


def test_the_compute_is_not_held_while_a_stage_after_the_training_waits() -> None:
    run, _ = fair_story(collect_training=[DOWN, COLLECTED])

    assert run.asked.index("release_compute") < run.asked.index("collect_training")
