"""A roll-back or a retirement that is asked for while a run delivers."""

from dataclasses import replace
from typing import Any

import pytest

from function_app.problems import RefusedError
from shared.decisions.training.compute_queue import ask
from shared.messages import (
    Approval,
    ApprovalRule,
    ComputeTicket,
    ComputeWait,
    DeliveryRule,
    Outcome,
    QueueRule,
    RolloutPhase,
    RunRequest,
    Stage,
    TargetPlan,
    delivery_of,
)
from shared.orchestration_ids import roll_out_id
from shared.values.wire import from_wire, to_wire
from tests.support.builders import a_plan
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.hands import NEW, OLD, PIPELINE, TARGET, HandsWorld, a_run
from tests.support.workflow import START
from tests.unit.function_app.api.hands_by_request import ask_for, played, refusal, rolled_back


@pytest.fixture
def world() -> HandsWorld:
    return HandsWorld()


def test_a_run_that_delivers_is_named_and_comes_first(world: HandsWorld) -> None:
    busy = a_run(3)
    has_the_delivery(world, busy)

    refused = refusal("roll_back", world, f"{TARGET}/{PIPELINE}")

    assert refused.code == "delivery_under_way"
    assert busy.run_id in refused.reason


WAITS = replace(
    a_run(3),
    plan=a_plan(targets=(TargetPlan(name=TARGET, health_seconds=30),), delivery=DeliveryRule(approval=ApprovalRule())),
)


def has_the_delivery(world: HandsWorld, run: RunRequest) -> None:
    """The run is known, and it is its turn to deliver."""
    world.ledger.runs.claim_run(run)
    ticket = ComputeTicket(
        compute=delivery_of(PIPELINE),
        run_id=run.run_id,
        pipeline=PIPELINE,
        rule=QueueRule(),
        asked_at=START,
        expected_seconds=1,
    )
    world.ledger.computes.change(delivery_of(PIPELINE), lambda state: ask(state, ticket, 1, START))


def delivers(world: HandsWorld, phase: RolloutPhase, *, stage: Stage = Stage.ROLLING_OUT) -> MemoryClient:
    """A client that shows a run which has the pipeline's delivery, with its roll-out in that phase."""
    has_the_delivery(world, WAITS)
    client = MemoryClient()
    running, progress = RuntimeStatus.Running, {"progress": {"phase": phase.value}}
    client.instances[WAITS.run_id] = Instance("retrain_model", None, running, {"stage": stage.value})
    client.instances[roll_out_id(WAITS, TARGET)] = Instance("roll_out", None, running, progress)
    return client


def decision(world: HandsWorld) -> Approval:
    return world.ledger.approvals.of(WAITS.run_id, TARGET)


HANDS = {"roll_back": f"{TARGET}/{PIPELINE}", "retire_pipeline": PIPELINE}


@pytest.mark.parametrize("name", HANDS)
def test_a_run_that_only_waits_for_approval_gives_way(world: HandsWorld, name: str) -> None:
    client = delivers(world, RolloutPhase.APPROVAL)

    begun = ask_for(name, world, client, HANDS[name], by="ada")

    assert begun.begun
    assert WAITS.run_id in begun.view.sentence
    assert (decision(world).approved, decision(world).superseded_by) == (False, begun.view.action_id)
    assert "ada" in decision(world).reason
    assert client.raised == [(roll_out_id(WAITS, TARGET), "decided")], "it is told at once"
    record = world.ledger.runs.run(WAITS.run_id)
    assert record is not None
    world.ledger.runs.record_run(replace(record, outcome=Outcome.NOT_PROMOTED))  # as its orchestration does then
    assert played(world, client).done
    assert world.serves == ({OLD.run_id: 100, NEW.run_id: 0} if name == "roll_back" else {})


@pytest.mark.parametrize("name", HANDS)
@pytest.mark.parametrize(
    ("phase", "stage"),
    [
        (RolloutPhase.LOOKING, Stage.ROLLING_OUT),
        (RolloutPhase.CANARY, Stage.ROLLING_OUT),
        (RolloutPhase.RETURNING, Stage.ROLLING_OUT),
        (RolloutPhase.APPROVAL, Stage.DELIVERING),
    ],
)
def test_a_run_that_does_more_than_wait_comes_first(
    world: HandsWorld, name: str, phase: RolloutPhase, stage: Stage
) -> None:
    client = delivers(world, phase, stage=stage)

    with pytest.raises(RefusedError) as refused:
        ask_for(name, world, client, HANDS[name])

    assert refused.value.code in {"delivery_under_way", "runs_under_way"}
    assert WAITS.run_id in refused.value.reason
    assert decision(world).approved is None
    assert (client.started, client.raised) == ([], [])
    assert world.ledger.actions.retirement(PIPELINE) is None


def test_who_approved_in_the_same_moment_was_first_and_the_roll_back_waits_its_turn(world: HandsWorld) -> None:
    client = delivers(world, RolloutPhase.APPROVAL)
    yes = Approval(run_id=WAITS.run_id, target=TARGET, approved=True, by="ada", at=START)
    world.ledger.approvals.decide(yes)

    begun = rolled_back(world, client)

    assert begun.begun
    assert decision(world) == yes
    assert [lease.run_id for lease in world.ledger.computes.state(delivery_of(PIPELINE)).holders] == [WAITS.run_id]


def test_should_the_app_die_before_the_run_is_told_the_action_tells_it(world: HandsWorld) -> None:
    client = delivers(world, RolloutPhase.APPROVAL)
    begun = rolled_back(world, client)
    world.ledger.approvals.forget(WAITS.run_id, TARGET)  # as if that had not been written

    action = world.ledger.actions.action(begun.view.action_id)
    assert action is not None
    turns: list[str] = []

    def asked_once(call: Any) -> Any:
        ticket = from_wire(ComputeWait, call["input"]).ticket
        turns.append(world.answers()["acquire_compute"](to_wire(ticket))["value"]["turn"])
        return {"failed": "and then no more"}

    world.act(action, await_compute=asked_once)

    assert turns == ["waiting"]
    assert decision(world).superseded_by == begun.view.action_id
