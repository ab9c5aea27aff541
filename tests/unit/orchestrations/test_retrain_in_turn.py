"""Runs that queue for their compute and are announced: requests of schema 2."""

from typing import Any

import pytest

from shared.errors import Code
from shared.messages import (
    ComputeRef,
    ComputeTurn,
    ComputeWait,
    Done,
    Outcome,
    QueuePolicy,
    QueueRule,
    RunEvent,
    RunRecord,
    Stage,
    TargetResult,
    TrainingEnd,
    TrainingPhase,
    Turn,
)
from shared.values.wire import from_wire, to_wire
from tests.support import retraining
from tests.support.builders import a_plan, a_run_request, a_trained_model
from tests.support.retraining import NO_ANSWER
from tests.support.workflow import START, Played, refusal, value

REFUSED = ComputeTurn(turn=Turn.REFUSED, reason="compute hub-vm is taken by run x, and the policy is reject")
WRONG_KEY = refusal(Code.BAD_CONFIGURATION, "wrong key")


def story(request: dict[str, Any] | None = None, **changes: Any) -> tuple[Played, RunRecord]:
    return retraining.story({"schema": 2} | (request or {}), **changes)


def announced(run: Played) -> list[str]:
    return [from_wire(RunEvent, event).kind.value for event in run.commands["announce"]]


def test_a_run_waits_for_its_turn_and_gives_the_compute_back_as_soon_as_it_has_trained() -> None:
    run, record = story()

    assert record.outcome is Outcome.PROMOTED
    assert [step for step in run.asked if step != "announce"] == [
        "await_compute",
        "await_training",
        "collect_training",
        "release_compute",
        "read_champion",
        "guarded_step",
        "guarded_step",
        "roll_out",
        "record_run",
    ]
    stages = [status["stage"] for status in run.context.statuses]
    assert stages == ["waiting", "training", "judging", "delivering", "rolling_out", "recording", "done"]
    assert run.context.statuses[0]["progress"] == {"compute": "hub-vm", "details": f"{record.run_id}-compute"}


def test_it_queues_by_what_its_plan_says() -> None:
    rule = QueueRule(policy=QueuePolicy.LATEST_WINS, priority=7)
    run, record = story({"plan": a_plan(compute="other-vm", queue=rule)})

    asked = run.commands["await_compute"][0]
    assert asked["instance_id"] == f"{record.run_id}-compute"
    ticket = from_wire(ComputeWait, asked["input"]).ticket
    assert (ticket.compute, ticket.run_id, ticket.pipeline) == ("other-vm", record.run_id, "breast-cancer")
    assert (ticket.rule, ticket.asked_at, ticket.expected_seconds) == (rule, START, 60)
    assert from_wire(ComputeRef, run.commands["release_compute"][0]) == ComputeRef(
        compute="other-vm", run_id=record.run_id
    )


def test_a_run_that_is_refused_is_cancelled_with_the_reason_and_trains_nothing() -> None:
    run, record = story(await_compute=to_wire(REFUSED))

    assert (record.outcome, record.stage) == (Outcome.CANCELLED, Stage.WAITING)
    assert record.reason == f"waiting: {REFUSED.reason}"
    assert run.asked == ["announce", "await_compute", "release_compute", "record_run", "announce"]
    assert announced(run) == ["accepted", "cancelled"]


def test_a_queue_that_cannot_be_asked_fails_the_run() -> None:
    _, record = story(await_compute={"failed": "the tables are down; see to that"})

    assert (record.outcome, record.stage) == (Outcome.FAILED, Stage.WAITING)
    assert record.reason.startswith("waiting: the tables are down; see to that")


TROUBLE: list[tuple[dict[str, Any], str]] = [
    ({}, "deployed"),
    ({"await_compute": to_wire(REFUSED)}, "cancelled"),
    ({"await_compute": {"failed": "tables down"}}, "failed"),
    ({"await_compute": NO_ANSWER}, "failed"),
    ({"await_training": to_wire(TrainingEnd(phase=TrainingPhase.FAILED, reason="job.py exited with 1"))}, "failed"),
    ({"await_training": to_wire(TrainingEnd(phase=TrainingPhase.CANCELLED))}, "cancelled"),
    ({"await_training": NO_ANSWER}, "failed"),
    ({"collect_training": refusal(Code.TRAINING_OUTPUT_MISSING, "no outputs/model")}, "failed"),
    ({"collect_training": NO_ANSWER}, "failed"),
    ({"collect_training": value(a_trained_model(metrics={"accuracy": 0.41}))}, "not_promoted"),
    ({"read_champion": NO_ANSWER}, "failed"),
    ({"register_model": NO_ANSWER}, "failed"),
    ({"build_image": WRONG_KEY}, "failed"),
    ({"roll_out": to_wire(TargetResult(target="hub-vm", deployed=False, reason="unhealthy"))}, "rolled_back"),
    ({"roll_out": NO_ANSWER}, "failed"),
]


@pytest.mark.parametrize("announcing", [value(Done()), NO_ANSWER, WRONG_KEY], ids=["announced", "no answer", "refused"])
@pytest.mark.parametrize("releasing", [value(Done()), NO_ANSWER, WRONG_KEY], ids=["released", "no answer", "refused"])
@pytest.mark.parametrize(("trouble", "end"), TROUBLE, ids=lambda part: part if isinstance(part, str) else "".join(part))
def test_every_path_gives_back_once_tells_one_end_and_is_recorded_as_without_trouble_on_the_side(
    trouble: dict[str, Any], end: str, releasing: Any, announcing: Any
) -> None:
    run, record = story(release_compute=releasing, announce=announcing, **trouble)

    assert run.asked.count("release_compute") == 1
    assert run.asked.count("record_run") == 1
    release = run.asked.index("release_compute")
    assert "await_compute" in run.asked[:release]
    assert not {"await_training", "collect_training"} & set(run.asked[release:])
    assert not {"read_champion", "guarded_step", "roll_out", "record_run"} & set(run.asked[:release])
    assert run.asked[-2:] == ["record_run", "announce"]
    assert announced(run)[-1] == end
    assert record == story(**trouble)[1]


@pytest.mark.parametrize(
    ("trouble", "kinds"),
    [
        ({}, ["accepted", "training_started", "trained", "registered", "deployed"]),
        (
            {"collect_training": value(a_trained_model(metrics={"accuracy": 0.41}))},
            ["accepted", "training_started", "trained", "not_promoted"],
        ),
        ({"await_training": NO_ANSWER}, ["accepted", "training_started", "failed"]),
        ({"build_image": NO_ANSWER}, ["accepted", "training_started", "trained", "failed"]),
    ],
)
def test_each_moment_is_announced_once_with_the_record_as_it_was(trouble: dict[str, Any], kinds: list[str]) -> None:
    run, record = story(**trouble)

    assert announced(run) == kinds
    events = [from_wire(RunEvent, event) for event in run.commands["announce"]]
    assert all(event.record.outcome is None for event in events[:-1])
    assert events[-1].record == record
    for event in events:
        assert bool(event.record.metrics) == (kinds.index(event.kind.value) >= 2 and "trained" in kinds)


def test_the_record_carries_what_was_asked_for() -> None:
    _, record = story({"forced": True, "note": "assay 17"})

    assert (record.forced, record.note, record.blobs) == (True, "assay 17", a_run_request().snapshot.blobs)


def test_a_run_from_before_the_queue_goes_on_without_it() -> None:
    run, record = story({"schema": 1})

    assert record.outcome is Outcome.PROMOTED
    assert not {"await_compute", "release_compute", "announce"} & set(run.asked)
    assert run.context.statuses[0]["stage"] == "training"


def test_a_resumed_run_needs_no_compute_and_ends_as_promoted() -> None:
    run, record = story({"resumed": True}, await_compute=to_wire(REFUSED))

    assert record.outcome is Outcome.PROMOTED
    assert "await_compute" not in run.asked
    assert "roll_out" in run.asked
