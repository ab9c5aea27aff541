import logging
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from function_app.reconciler.orphaned_runs import recover_runs
from shared.decisions.training.compute_queue import ask
from shared.messages import (
    FAIR_COMPARISON_SCHEMA,
    ComputeTicket,
    Outcome,
    QueueRule,
    RunEnd,
    RunRequest,
    Stage,
    TargetPlan,
    TargetResult,
    Turn,
)
from shared.orchestration_ids import roll_out_id
from shared.values.wire import from_wire, to_wire
from tests.support.builders import a_plan
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.jobs import A_FROZEN_JOB
from tests.support.reconciler import STATUSES, WatchedWorld
from tests.support.workflow import START

ALIVE = {RuntimeStatus.Pending, RuntimeStatus.Running, RuntimeStatus.Suspended, RuntimeStatus.ContinuedAsNew}
ENDED = [RuntimeStatus.Completed, RuntimeStatus.Failed, RuntimeStatus.Terminated, RuntimeStatus.Canceled]


def wound_up(world: WatchedWorld, run: RunRequest) -> RunEnd:
    assert world.started(f"{run.run_id}-wind-up") == "wind_up_run"
    return wound_up_by(world, run)


def wound_up_by(world: WatchedWorld, run: RunRequest) -> RunEnd:
    return from_wire(RunEnd, world.client.instances[f"{run.run_id}-wind-up"].given)


@pytest.mark.parametrize("owner", STATUSES)
def test_a_run_nobody_started_is_started_once_its_owner_is_gone(
    world: WatchedWorld, owner: RuntimeStatus | None
) -> None:
    run = world.claims()
    if owner:
        world.has_instance(run.requested_by, owner)

    world.cycle(recover_runs)

    if owner in ALIVE:
        assert world.client.started == []
    else:
        assert world.started(run.run_id) == "retrain_model"
        assert from_wire(RunRequest, world.client.instances[run.run_id].given) == run


@pytest.mark.parametrize("owner", STATUSES)
@pytest.mark.parametrize("status", sorted(ALIVE, key=str))
def test_a_run_that_is_alive_is_left_alone(
    world: WatchedWorld, status: RuntimeStatus, owner: RuntimeStatus | None
) -> None:
    run = world.claims()
    world.has_instance(run.run_id, status)
    if owner:
        world.has_instance(run.requested_by, owner)

    context, _ = world.cycle(recover_runs)

    assert world.client.started == []
    assert (context.done, context.failed) == ({}, 0)


def test_a_run_that_was_claimed_just_now_is_left_to_its_owner(world: WatchedWorld) -> None:
    world.claims()
    world.now = START + timedelta(seconds=30)

    world.cycle(recover_runs)

    assert world.client.started == []


@pytest.mark.parametrize("status", ENDED)
def test_a_run_that_ended_without_an_outcome_is_wound_up_and_never_trained_again(
    world: WatchedWorld, status: RuntimeStatus
) -> None:
    run = world.claims()
    shown = {"stage": "training", "since": "", "progress": {}}
    world.has_instance(run.run_id, status, custom_status=shown, output="somebody said stop")

    context, _ = world.cycle(recover_runs)

    end = wound_up(world, run)
    terminated = status in {RuntimeStatus.Terminated, RuntimeStatus.Canceled}
    assert end.record.outcome is (Outcome.CANCELLED if terminated else Outcome.FAILED)
    assert (end.record.run_id, end.record.stage, end.record.ended_at) == (run.run_id, Stage.TRAINING, world.now)
    assert end.compute == run.plan.compute
    assert world.client.started == [f"{run.run_id}-wind-up"]
    assert context.done == {"runs finalized": 1}


@pytest.mark.parametrize("status", STATUSES)
def test_a_winding_up_that_did_not_come_to_its_end_is_started_again(
    world: WatchedWorld, status: RuntimeStatus | None
) -> None:
    run = world.claims()
    world.has_instance(run.run_id, RuntimeStatus.Terminated)
    if status:
        world.has_instance(f"{run.run_id}-wind-up", status)

    world.cycle(recover_runs)

    assert world.client.started == ([] if status in ALIVE else [f"{run.run_id}-wind-up"])


def test_the_children_of_a_dead_run_are_stopped_before_it_is_wound_up(world: WatchedWorld) -> None:
    run = world.claims()
    world.has_instance(run.run_id, RuntimeStatus.Terminated)
    world.has_instance(f"{run.run_id}-compute", RuntimeStatus.Completed)
    world.has_instance(f"{run.run_id}-training", RuntimeStatus.Running)

    world.cycle(recover_runs)

    assert world.client.instances[f"{run.run_id}-training"].runtime_status is RuntimeStatus.Terminated
    assert world.client.instances[f"{run.run_id}-compute"].runtime_status is RuntimeStatus.Completed
    wound_up(world, run)


@pytest.mark.parametrize(
    ("status", "output", "started"),
    [
        (RuntimeStatus.Running, None, []),
        (RuntimeStatus.Completed, to_wire(TargetResult(target="default", deployed=True)), ["{run}"]),
        (RuntimeStatus.Completed, to_wire(TargetResult(target="default", deployed=False)), ["{run}-wind-up"]),
    ],
)
def test_a_roll_out_of_a_dead_run_decides_what_becomes_of_it(
    world: WatchedWorld, status: RuntimeStatus, output: object, started: list[str]
) -> None:
    run = world.claims()
    world.has_instance(run.run_id, RuntimeStatus.Terminated, custom_status={"stage": "rolling_out"})
    world.has_instance(f"{run.run_id}-{run.plan.targets[0].name}", status, output=output)

    world.cycle(recover_runs)

    assert world.client.started == [name.format(run=run.run_id) for name in started]
    if started == ["{run}"]:
        assert from_wire(RunRequest, world.client.instances[run.run_id].given) == replace(run, resumed=True)


def test_a_run_is_not_judged_by_a_child_that_happens_to_be_called_like_its_target(world: WatchedWorld) -> None:
    """The image of this run is being built, and its only target has not begun."""
    plan = a_plan(targets=(TargetPlan(name="image", health_seconds=9),))
    run = world.claims(plan=plan, schema=FAIR_COMPARISON_SCHEMA)
    world.has_instance(run.run_id, RuntimeStatus.Failed, custom_status={"stage": "delivering"}, output="no luck")
    world.has_instance(f"{run.run_id}-image", RuntimeStatus.Running)

    world.cycle(recover_runs)

    wound_up(world, run)


def test_a_roll_out_of_today_is_found_under_its_own_id(world: WatchedWorld) -> None:
    run = world.claims(schema=FAIR_COMPARISON_SCHEMA)
    target = run.plan.targets[0].name
    world.has_instance(run.run_id, RuntimeStatus.Terminated, custom_status={"stage": "rolling_out"})
    served = to_wire(TargetResult(target=target, deployed=True))
    world.has_instance(roll_out_id(run, target), RuntimeStatus.Completed, output=served)

    world.cycle(recover_runs)

    assert world.client.started == [run.run_id]
    assert from_wire(RunRequest, world.client.instances[run.run_id].given) == replace(run, resumed=True)


def test_a_run_that_failed_while_it_recorded_goes_on(world: WatchedWorld) -> None:
    run = world.claims()
    world.has_instance(run.run_id, RuntimeStatus.Failed, custom_status={"stage": "recording"}, output="no ledger")

    context, _ = world.cycle(recover_runs)

    assert world.started(run.run_id) == "retrain_model"
    assert context.done == {"runs started": 1}


class LateOwner(MemoryClient):
    """An owner that starts its run, and ends, just when it is looked at."""

    def __init__(self, world: WatchedWorld, run: RunRequest, status: RuntimeStatus) -> None:
        super().__init__(instances=world.client.instances, started=world.client.started)
        self.world, self.run, self.status = world, run, status

    async def get_status(self, instance_id: str) -> Instance:
        if instance_id == self.run.requested_by:
            self.world.has_instance(self.run.run_id, self.status)
            self.world.has_instance(self.run.requested_by, RuntimeStatus.Failed)
        return await super().get_status(instance_id)


def test_a_run_that_its_owner_started_with_its_last_breath_is_not_started_again(world: WatchedWorld) -> None:
    run = world.claims()
    late = LateOwner(world, run, RuntimeStatus.Running)

    world.cycle(lambda context: recover_runs(replace(context, client=late)))

    assert world.client.started == []


def test_a_run_that_recorded_its_outcome_meanwhile_is_left_alone(world: WatchedWorld) -> None:
    run = world.claims()
    world.has_instance(run.run_id, RuntimeStatus.Completed)
    record = world.ledger.runs.run(run.run_id)
    assert record is not None
    opened = world.ledger.runs.unfinished(run.pipeline)
    world.ledger.runs.record_run(replace(record, outcome=Outcome.PROMOTED))
    world.ledger.runs.unfinished = lambda pipeline: opened  # type: ignore[method-assign]  # as it was read before

    world.cycle(recover_runs)

    assert world.client.started == []


def test_two_cycles_at_once_start_a_run_once(world: WatchedWorld) -> None:
    run = world.claims()

    world.cycle(recover_runs)
    again, _ = world.cycle(recover_runs)

    assert world.client.started == [run.run_id]
    assert again.done == {}


def test_runs_of_a_pipeline_whose_file_is_gone_are_found(world: WatchedWorld) -> None:
    run = world.claims(pipeline="gone", run_id="gone-abababababab-1")
    world.has_instance(run.run_id, RuntimeStatus.Terminated)

    world.cycle(recover_runs)

    assert wound_up(world, run).record.pipeline == "gone"


@pytest.mark.parametrize("carries", [True, False])
def test_a_run_that_carries_its_code_is_resumed_though_the_file_of_its_pipeline_is_gone(
    world: WatchedWorld, carries: bool
) -> None:
    plan = a_plan(job=A_FROZEN_JOB if carries else None)
    run = world.claims(pipeline="gone", run_id="gone-abababababab-1", plan=plan, schema=FAIR_COMPARISON_SCHEMA)
    target = plan.targets[0].name
    world.has_instance(run.run_id, RuntimeStatus.Terminated, custom_status={"stage": "rolling_out"})
    served = to_wire(TargetResult(target=target, deployed=True))
    world.has_instance(roll_out_id(run, target), RuntimeStatus.Completed, output=served)

    world.cycle(recover_runs)

    assert world.client.started == [run.run_id if carries else f"{run.run_id}-wind-up"]


def test_a_dead_run_holds_its_compute_until_it_is_wound_up(world: WatchedWorld) -> None:
    """The outcome that the winding-up records is what evicts it, even when giving back fails."""
    dead = world.claims()
    assert _asks(world, dead) is Turn.GRANTED
    waiting = replace(dead, run_id="breast-cancer-cdcdcdcdcdcd-1", fingerprint="cd" * 32, requested_by="other")
    world.ledger.runs.claim_run(waiting)
    world.has_instance(waiting.run_id, RuntimeStatus.Running)
    assert _asks(world, waiting) is Turn.WAITING
    world.has_instance(dead.run_id, RuntimeStatus.Terminated)

    world.cycle(recover_runs)
    world.ledger.runs.record_run(wound_up(world, dead).record)

    from activities.acquire_compute import acquire_compute

    ledger = world.ledger
    turn = acquire_compute(
        _ticket(waiting),
        slots=1,
        queues=ledger.computes,
        runs=ledger.runs,
        approvals=ledger.approvals,
        now=world.now,
    )
    assert turn.turn is Turn.GRANTED


def test_one_run_that_cannot_be_recovered_does_not_keep_the_others(
    world: WatchedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    bad = world.claims()
    good = world.claims(run_id="breast-cancer-cdcdcdcdcdcd-1", fingerprint="cd" * 32, requested_by="other")
    world.has_instance(bad.run_id, None, message="restarting")

    with caplog.at_level(logging.WARNING):
        context, _ = world.cycle(recover_runs)

    assert world.client.started == [good.run_id]
    assert context.failed == 1
    assert f"could not resume run {bad.run_id}" in caplog.text


def _ticket(run: RunRequest) -> ComputeTicket:
    return ComputeTicket(
        compute=run.plan.compute,
        run_id=run.run_id,
        pipeline=run.pipeline,
        rule=QueueRule(),
        asked_at=START,
        expected_seconds=60,
    )


def _asks(world: WatchedWorld, run: RunRequest) -> Turn:
    return world.ledger.computes.change(run.plan.compute, lambda state: ask(state, _ticket(run), 1, START)).turn


def test_a_winding_up_that_always_fails_is_tried_ever_more_seldom(world: WatchedWorld) -> None:
    run = world.claims()
    world.has_instance(run.run_id, RuntimeStatus.Terminated)
    started, began = [], world.now

    while world.now < began + timedelta(days=3):
        world.cycle(recover_runs)
        if world.client.started:
            started.append(world.now - began)
            world.client.started.clear()
            world.has_instance(f"{run.run_id}-wind-up", RuntimeStatus.Failed)
        world.now += timedelta(minutes=2)

    pauses = [after - before for before, after in pairwise(started)]
    assert pauses == sorted(pauses), "never more often than before"
    assert pauses[:4] == [timedelta(minutes=minutes) for minutes in (2, 2, 4, 8)]
    assert pauses[-1] <= timedelta(days=1), "and never given up: it holds the compute"
    assert len(started) < 15


def test_a_run_that_serves_and_never_comes_to_its_end_is_wound_up_after_some_tries(
    world: WatchedWorld,
) -> None:
    """Each time it is resumed it fails again, while its roll-out says that its model serves."""
    run = world.claims()
    shown = {"stage": "recording", "since": "", "progress": {}}
    served = to_wire(TargetResult(target="hub-vm", deployed=True))
    world.has_instance(f"{run.run_id}-hub-vm", RuntimeStatus.Completed, output=served)
    resumed, began = 0, world.now

    while f"{run.run_id}-wind-up" not in world.client.instances and world.now < began + timedelta(days=3):
        world.has_instance(run.run_id, RuntimeStatus.Failed, custom_status=shown, output="it always fails")
        world.cycle(recover_runs)
        resumed += world.client.started.count(run.run_id)
        world.client.started.clear()
        world.now += timedelta(minutes=2)

    assert 8 <= resumed <= 12
    end = wound_up_by(world, run)
    assert end.record.outcome is Outcome.FAILED
    assert "serves on hub-vm" in end.record.reason
