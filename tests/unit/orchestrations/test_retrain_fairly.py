"""Compared with the champion on the same rows, one delivery of a pipeline at a time: ``FAIR_COMPARISON_SCHEMA``."""

from typing import Any

import pytest

from shared.messages import (
    ComputeRef,
    ComputeTurn,
    ComputeWait,
    Outcome,
    Stage,
    TrainingPoll,
    TrainingRef,
    Turn,
    delivery_of,
)
from shared.values.wire import from_wire, to_wire
from tests.support.builders import a_champion, a_run_request, a_trained_model
from tests.support.retraining import CHAMPION, NO_ANSWER, compared, fair_story
from tests.support.workflow import value

REFUSED = ComputeTurn(turn=Turn.REFUSED, reason="100 runs wait for the delivery of pipeline breast-cancer already")
DELIVERY = delivery_of("breast-cancer")


def test_the_champion_is_measured_by_the_training_and_the_delivery_is_held_until_the_record_is_written() -> None:
    run, record = fair_story()

    assert [step for step in run.asked if step != "announce"] == [
        "await_compute",
        "read_champion",
        "await_training",
        "release_compute",
        "collect_training",
        "await_compute",
        "read_champion",
        "guarded_step",
        "guarded_step",
        "roll_out",
        "record_run",
        "release_compute",
    ]
    order = from_wire(TrainingPoll, run.commands["await_training"][0]["input"]).order
    assert (order.champion, order.evaluator) == (CHAMPION.run_id, "code")
    assert from_wire(TrainingRef, run.commands["collect_training"][0]).metrics == ("accuracy",)
    waited = run.commands["await_compute"][1]
    assert waited["instance_id"] == f"{record.run_id}-delivery"
    assert from_wire(ComputeWait, waited["input"]).ticket.compute == DELIVERY
    assert [from_wire(ComputeRef, ref).compute for ref in run.commands["release_compute"]] == ["hub-vm", DELIVERY]


def test_the_numbers_that_count_are_those_of_the_same_rows() -> None:
    _, record = fair_story()

    assert record.outcome is Outcome.PROMOTED
    assert (record.holdout, record.evaluator, record.champion_value) == ("new rows", "code", 0.91)
    assert record.comparable
    assert "against the champion's 0.9100 on the same hold-out" in record.reason


def test_a_worse_model_does_not_win_on_rows_of_its_own() -> None:
    run, record = fair_story(collect_training=compared(metrics={"accuracy": 0.96}))

    assert (record.outcome, record.champion_value) == (Outcome.NOT_PROMOTED, 0.96)
    assert "guarded_step" not in run.asked


@pytest.mark.parametrize(
    ("collected", "why"),
    [
        (compared(trouble="its model cannot be loaded"), "its model cannot be loaded"),
        (compared(metrics={"auc": 0.9}), "its evaluation gave no accuracy"),
        (value(a_trained_model()), "the job on the VM reported nothing"),
    ],
)
def test_what_cannot_be_compared_leaves_the_champion_and_says_why(collected: Any, why: str) -> None:
    run, record = fair_story(collect_training=collected)

    assert (record.outcome, record.comparable, record.champion_value) == (Outcome.NOT_PROMOTED, False, None)
    assert why in record.reason
    assert "guarded_step" not in run.asked


def test_it_is_judged_by_whoever_is_champion_when_its_turn_comes() -> None:
    """Another run of the pipeline was quicker; both were measured on the same rows."""
    quicker = a_champion(run_id="quicker", metrics={"accuracy": 0.96}, holdout="new rows", evaluator="code")

    _, record = fair_story(read_champion=[value(CHAMPION), value(quicker)])

    assert (record.outcome, record.champion_run_id) == (Outcome.NOT_PROMOTED, "quicker")
    assert "against the champion's 0.9600" in record.reason


def test_a_resumed_run_that_is_the_champion_already_stays_it_and_is_not_measured_against_itself() -> None:
    mine = a_champion(run_id=a_run_request().run_id, metrics={"accuracy": 0.95}, holdout="new rows", evaluator="code")

    run, record = fair_story({"resumed": True}, read_champion=value(mine), collect_training=value(a_trained_model()))

    assert record.outcome is Outcome.PROMOTED
    assert from_wire(TrainingPoll, run.commands["await_training"][0]["input"]).order.champion is None


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        ({"await_compute": [to_wire(ComputeTurn(turn=Turn.GRANTED)), to_wire(REFUSED)]}, Outcome.CANCELLED),
        ({"await_compute": [to_wire(ComputeTurn(turn=Turn.GRANTED)), {"failed": "tables down"}]}, Outcome.FAILED),
        ({"read_champion": [value(CHAMPION), NO_ANSWER]}, Outcome.FAILED),
        ({"collect_training": compared(metrics={"accuracy": 0.99})}, Outcome.NOT_PROMOTED),
        ({"build_image": NO_ANSWER}, Outcome.FAILED),
        ({"roll_out": NO_ANSWER}, Outcome.FAILED),
    ],
)
def test_whatever_happens_the_delivery_is_given_back_after_the_record(
    trouble: dict[str, Any], outcome: Outcome
) -> None:
    run, record = fair_story(**trouble)

    assert record.outcome is outcome
    assert run.asked[-3:] == ["record_run", "release_compute", "announce"]
    assert from_wire(ComputeRef, run.commands["release_compute"][-1]).compute == DELIVERY


@pytest.mark.parametrize(
    "trouble",
    [
        {"await_training": NO_ANSWER},
        {"read_champion": NO_ANSWER},
        {"await_compute": to_wire(REFUSED)},
    ],
)
def test_a_run_that_has_nothing_to_deliver_does_not_ask_to(trouble: dict[str, Any]) -> None:
    run, record = fair_story(**trouble)

    assert record.stage in {Stage.WAITING, Stage.TRAINING}
    assert run.asked.count("await_compute") == 1
    assert [from_wire(ComputeRef, ref).compute for ref in run.commands["release_compute"]] == ["hub-vm"]
