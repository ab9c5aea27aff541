"""A run is finalized: everything that it made outside is undone and seen to be gone, or named."""

from typing import Any

import pytest

from orchestrations.finalize_orphaned_run import finalize_orphaned_run
from shared.decisions.delivery.undoing import cancelled, end_of
from shared.errors import Code
from shared.messages import (
    DELIVERY_SCHEMA,
    Actor,
    ActorKind,
    Cancellation,
    ComputeRef,
    Done,
    Outcome,
    PlannedRelease,
    RunRecord,
    ServingPlan,
    Stage,
    TargetGoal,
    TargetPlan,
    TrainingPhase,
    TrainingRef,
    TrainingStatus,
    delivery_of,
    first_record,
)
from shared.values.wire import from_wire
from tests.support.builders import a_plan, a_run_request
from tests.support.workflow import START, Played, play, refusal, value

TARGETS = (TargetPlan(name="hub-vm", health_seconds=30), TargetPlan(name="cloud", health_seconds=30))
REQUEST = a_run_request(schema=DELIVERY_SCHEMA, plan=a_plan(targets=TARGETS))
WHO = Cancellation(by=Actor(kind=ActorKind.PERSON, name="ada@hospital"), reason="wrong data", at=START)
END = end_of(REQUEST, cancelled(first_record(REQUEST), WHO, Stage.ROLLING_OUT, START))
DONE = value(Done())
BACK = ServingPlan(
    target="cloud", pipeline="breast-cancer", releases=(PlannedRelease(run_id="a-1", image="r/m@sha256:1", weight=100),)
)


def at(phase: TrainingPhase) -> dict[str, Any]:
    return value(TrainingStatus(phase=phase))


def reached(call: dict[str, Any]) -> dict[str, Any]:
    goal = from_wire(TargetGoal, call["input"])
    return {"target": goal.target, "reached": True, "changed": True}


def story(**changes: Any) -> tuple[Played, RunRecord]:
    answers: dict[str, Any] = dict.fromkeys(
        ("cancel_training", "remove_image", "record_run", "release_compute", "announce"), DONE
    )
    answers |= {"reach_goal": reached, "check_training": at(TrainingPhase.CANCELLED)}
    run = play(finalize_orphaned_run, END, answers=answers | changes)
    return run, from_wire(RunRecord, run.output)


def test_everything_is_undone_in_reverse_then_recorded_then_others_may_go_on() -> None:
    run, record = story()

    assert run.asked == [
        "reach_goal",
        "reach_goal",
        "remove_image",
        "cancel_training",
        "check_training",
        "record_run",
        "release_compute",
        "release_compute",
        "announce",
    ]
    assert (record.outcome, record.reason) == (Outcome.CANCELLED, "it was cancelled by ada@hospital: wrong data")
    goals = [from_wire(TargetGoal, call["input"]) for call in run.commands["reach_goal"]]
    assert [(goal.target, goal.without) for goal in goals] == [
        ("hub-vm", REQUEST.run_id),
        ("cloud", REQUEST.run_id),
    ]
    assert {goal.by for goal in goals} == {f"{REQUEST.run_id}-wind-up"}, "not the run, whose own plans are refused now"
    freed = [from_wire(ComputeRef, call).compute for call in run.commands["release_compute"]]
    assert freed == ["hub-vm", delivery_of(REQUEST.pipeline)]


def test_a_training_is_looked_at_until_it_has_ended() -> None:
    still = [at(TrainingPhase.RUNNING)] * 3 + [at(TrainingPhase.CANCELLED)]

    run, record = story(check_training=still)

    assert run.asked.count("check_training") == 4
    assert "left to do" not in record.reason


def test_a_training_that_does_not_end_is_named_and_the_run_ends() -> None:
    run, record = story(check_training=at(TrainingPhase.RUNNING))

    assert "may still run" in record.reason
    assert REQUEST.run_id in record.reason
    assert run.asked.count("check_training") <= 20


def test_a_training_that_never_began_leaves_nothing() -> None:
    _, record = story(cancel_training=refusal(Code.TRAINING_UNKNOWN, "no such run"))

    assert "left to do" not in record.reason


LEFT = {"target": "cloud", "reached": False, "changed": True, "trouble": "no route to host"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"reach_goal": lambda call: LEFT if "cloud" in call["instance_id"] else reached(call)}, ["cloud", "no route"]),
        ({"remove_image": Exception("the registry answers 503")}, [f"models/breast-cancer:{REQUEST.run_id}", "503"]),
        ({"remove_image": refusal(Code.REGISTRY_REFUSED, "may not delete")}, ["may not delete"]),
        ({"cancel_training": Exception("Azure ML answers 500")}, ["may still run", "500"]),
        ({"check_training": refusal(Code.BAD_CONFIGURATION, "no such workspace")}, ["no such workspace"]),
    ],
)
def test_what_is_left_is_named_and_the_rest_is_undone(changes: dict[str, Any], named: list[str]) -> None:
    run, record = story(**changes)

    assert "; left to do: " in record.reason
    assert all(word in record.reason for word in named)
    assert record.outcome is Outcome.CANCELLED
    assert {"reach_goal", "remove_image", "cancel_training", "record_run", "release_compute"} <= set(run.asked)


def test_a_long_list_of_what_is_left_fits_the_ledger() -> None:
    _, record = story(reach_goal=lambda _: LEFT | {"trouble": "x" * 20_000})

    assert len(record.reason) < 10_000


def test_a_run_that_took_over_a_training_stops_none() -> None:
    resumed = a_run_request(
        run_id="breast-cancer-abababababab-2",
        schema=DELIVERY_SCHEMA,
        continues=REQUEST.run_id,
        trained_by=REQUEST.run_id,
    )
    end = end_of(resumed, cancelled(first_record(resumed), WHO, Stage.ROLLING_OUT, START))

    answers: dict[str, Any] = dict.fromkeys(("remove_image", "record_run", "release_compute", "announce"), DONE)
    run = play(finalize_orphaned_run, end, answers=answers | {"reach_goal": reached})

    assert "cancel_training" not in run.asked
    assert from_wire(TrainingRef, run.commands["remove_image"][0]).run_id == REQUEST.run_id
