"""A run that goes on from where another one ended: it takes the training over, and never trains."""

from typing import Any

import pytest

from shared.decisions.delivery.resuming import resumed_request
from shared.errors import Code
from shared.messages import (
    SEALED_SCHEMA,
    BuildImage,
    FailureKind,
    Outcome,
    RegisterModel,
    RunRecord,
    RunRequest,
    TrainingRef,
)
from shared.values.wire import from_wire
from tests.support.builders import a_champion, a_plan, a_run_request
from tests.support.retraining import FAIR, fair_story
from tests.support.workflow import START, Played, refusal, value

OLD = a_run_request(**FAIR)
TRAINING = {"await_training", "submit_training", "check_training", "cancel_training"}


def resumed(old: RunRequest = OLD) -> RunRequest:
    return resumed_request(old, [], plan=a_plan(), note="again", now=START)


def story(**changes: Any) -> tuple[Played, RunRecord]:
    wanted = resumed()
    asked = {
        "run_id": wanted.run_id,
        "continues": wanted.continues,
        "trained_by": wanted.trained_by,
        "schema": SEALED_SCHEMA,
    }
    return fair_story(asked, **changes)


def commands(run: Played, activity: str) -> dict[str, Any]:
    """What a guarded activity was asked."""
    asked = [call["input"] for call in run.commands["guarded_step"]]
    found: dict[str, Any] = next(each["command"] for each in asked if each["activity"] == activity)
    return found


def test_it_takes_the_training_over_and_goes_on_to_the_end() -> None:
    run, record = story()

    assert record.outcome is Outcome.PROMOTED
    assert not TRAINING & set(run.asked)
    assert record.continues == OLD.run_id
    assert record.run_id != OLD.run_id
    assert from_wire(TrainingRef, run.commands["collect_training"][0]).run_id == OLD.run_id
    registered = from_wire(RegisterModel, commands(run, "register_model"))
    built = from_wire(BuildImage, commands(run, "build_image"))
    assert (registered.lineage.run_id, built.lineage.run_id, built.for_run) == (OLD.run_id, OLD.run_id, record.run_id)


def test_one_that_goes_on_from_one_that_went_on_has_the_first_ones_training() -> None:
    second = resumed(resumed())

    assert (second.continues, second.training, second.attempt) == (resumed().run_id, OLD.run_id, 3)


def test_it_is_judged_against_todays_champion() -> None:
    champion = a_champion(run_id="breast-cancer-9999-1", metrics={"accuracy": 0.99}, holdout="new rows")

    run, record = story(read_champion=value(champion))

    assert record.champion_run_id == champion.run_id
    assert record.outcome is Outcome.NOT_PROMOTED
    assert not TRAINING & set(run.asked)


@pytest.mark.parametrize("code", [Code.TRAINING_OUTPUT_MISSING, Code.TRAINING_UNKNOWN])
def test_results_that_are_gone_end_it_without_a_training(code: Code) -> None:
    run, record = story(collect_training=refusal(code, "its outputs were deleted"))

    assert record.outcome is Outcome.FAILED
    assert record.failure_kind is not FailureKind.OUTSIDE
    assert not TRAINING & set(run.asked)
