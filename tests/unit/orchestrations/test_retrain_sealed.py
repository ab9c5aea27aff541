"""Runs that train by commands in containers, and leave a receipt: ``SEALED_SCHEMA``."""

from dataclasses import replace
from typing import Any

import pytest

from shared.messages import (
    SEALED_SCHEMA,
    Certainty,
    ChampionMeasurement,
    Comparison,
    FailureKind,
    FoundReceipt,
    Outcome,
    PromotionRule,
    ReceiptSummary,
    RunRecord,
    TrainingEnd,
    TrainingPhase,
    TrainingPoll,
    TrainingRef,
)
from shared.values.wire import from_wire, to_wire
from tests.support.builders import a_champion, a_plan, a_snapshot, a_trained_model, a_workload
from tests.support.retraining import fair_story
from tests.support.workflow import Played, value

IMAGE = f"registry/models/breast-cancer@sha256:{'cd' * 32}"
CHAMPION = a_champion(metrics={"accuracy": 0.97}, holdout="old rows", evaluator="code", image=IMAGE)
RECEIPT = ReceiptSummary(released_bytes=41_212, released=4, held_back=1, network_bytes=0)
COMPARISON = Comparison(rows=114, difference=-0.1, low=-0.2, high=-0.01, level=0.95, resamples=2000, method="bca")
BESIDE = ChampionMeasurement(run_id=str(CHAMPION.run_id), metrics={"accuracy": 0.91}, comparison=COMPARISON)
MINE = {
    "schema": SEALED_SCHEMA,
    "evaluator": "code",
    "snapshot": a_snapshot(holdout="new rows"),
    "plan": a_plan(workload=a_workload()),
}
SURE = PromotionRule(metric="accuracy", higher_is_better=True, floor=0.9, certainty=Certainty(level=0.9))
FAILED = TrainingEnd(
    phase=TrainingPhase.FAILED, reason="rows in the model", rounds=3, failure_kind=FailureKind.CODE, job_failed=True
)


def sealed(**changes: Any) -> tuple[Played, RunRecord]:
    usual = {
        "read_champion": value(CHAMPION),
        "collect_training": value(a_trained_model(compared=BESIDE, receipt=RECEIPT)),
        "read_receipt": value(FoundReceipt(receipt=RECEIPT)),
    }
    return fair_story(MINE, **(usual | changes))


def test_the_order_has_the_commands_and_the_champions_image() -> None:
    run, _ = sealed()

    order = from_wire(TrainingPoll, run.commands["await_training"][0]["input"]).order
    assert order.workload == a_workload()
    assert (order.champion, order.champion_image) == (CHAMPION.run_id, IMAGE)
    assert from_wire(TrainingRef, run.commands["collect_training"][0]).compute == "hub-vm"


def test_the_interval_is_of_the_level_that_the_pipeline_asks_for() -> None:
    asked = {**MINE, "plan": replace(a_plan(workload=a_workload()), rule=SURE)}

    run, _ = fair_story(asked, read_champion=value(CHAMPION))

    assert from_wire(TrainingPoll, run.commands["await_training"][0]["input"]).order.level == 0.9


def test_comparison_rules_and_receipt_are_kept_with_the_run() -> None:
    _, record = sealed()

    assert record.outcome is Outcome.PROMOTED
    assert (record.comparison, record.receipt) == (COMPARISON, RECEIPT)
    assert [rule.rule for rule in record.rules] == ["judge.floor", "judge.margin", "judge.drift_limit"]


def test_a_comparison_with_another_model_is_not_kept() -> None:
    quicker = replace(CHAMPION, run_id="quicker", holdout="new rows", metrics={"accuracy": 0.9})

    _, record = sealed(read_champion=[value(CHAMPION), value(quicker)])

    assert (record.champion_run_id, record.comparison) == ("quicker", None)


def test_a_champion_that_was_not_measured_for_its_signature_says_so_in_the_runs_reason() -> None:
    completed = TrainingEnd(phase=TrainingPhase.COMPLETED, rounds=3, unmeasured="the image has no signature")

    _, record = sealed(
        await_training=to_wire(completed), collect_training=value(a_trained_model(compared=None, receipt=RECEIPT))
    )

    assert (record.outcome, record.comparable) == (Outcome.NOT_PROMOTED, False)
    assert "the image has no signature" in record.reason


def test_a_failed_training_left_a_receipt_too() -> None:
    run, record = sealed(await_training=to_wire(FAILED))

    assert (record.outcome, record.failure_kind, record.receipt) == (Outcome.FAILED, FailureKind.CODE, RECEIPT)
    assert "read_receipt" in run.asked


@pytest.mark.parametrize("answer", [Exception("no answer"), value(FoundReceipt())])
def test_a_failed_training_fails_for_its_own_reason_without_one(answer: Any) -> None:
    _, record = sealed(await_training=to_wire(FAILED), read_receipt=answer)

    assert (record.outcome, record.receipt) == (Outcome.FAILED, None)
    assert "rows in the model" in record.reason


def test_nobody_asks_for_the_receipt_of_what_never_began() -> None:
    run, _ = sealed(await_training=to_wire(replace(FAILED, rounds=0)))

    assert "read_receipt" not in run.asked
