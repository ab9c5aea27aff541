"""Runs whose models are delivered by plans: ``DELIVERY_SCHEMA``."""

from dataclasses import replace
from typing import Any

from shared.decisions.delivery.superseding import NEWER_AND_READY
from shared.errors import Code
from shared.messages import (
    DELIVERY_SCHEMA,
    PLANNED_ROLLOUT,
    Approval,
    ApprovalRule,
    ComputeTicket,
    ComputeWait,
    DeliveryRule,
    FailureKind,
    GoalEnd,
    OnFailure,
    Outcome,
    Rollout,
    RunRecord,
    ServingResources,
    Strategy,
    TargetGoal,
    TargetPlan,
    TargetResult,
    is_delivery,
)
from shared.values.wire import from_wire, to_wire
from tests.support.builders import a_plan, a_snapshot, a_trained_model, a_workload
from tests.support.retraining import fair_story
from tests.support.workflow import Played, refusal, value

TARGETS = tuple(TargetPlan(name=name, health_seconds=30) for name in ("a", "b", "c"))
RULE = DeliveryRule(
    max_parallel=2, strategy=Strategy(steps=(5, 50)), resources=ServingResources(memory="1g"), approval=ApprovalRule()
)
NO = Approval(run_id="r", target="a", approved=False, by="ada")


def delivered(rule: DeliveryRule, *failing: str, **answers: Any) -> tuple[Played, RunRecord]:
    """A run for three targets, of which some fail."""

    def roll_out(asked: dict[str, Any]) -> Any:
        rollout = from_wire(Rollout, asked["input"])
        failed = TargetResult(
            target=rollout.target, deployed=False, reason="it hangs", failure_kind=FailureKind.CODE, before="old"
        )
        good = TargetResult(target=rollout.target, deployed=True, serves=rollout.run_id, before="old")
        return to_wire(failed if rollout.target in failing else good)

    request = {
        "schema": DELIVERY_SCHEMA,
        "plan": a_plan(workload=a_workload(), targets=TARGETS, delivery=rule),
    }
    return fair_story(request, **({"roll_out": roll_out} | answers))


def rollouts(run: Played) -> list[Rollout]:
    return [from_wire(Rollout, command["input"]) for command in run.commands["roll_out"]]


def test_others_ask_for_their_turn_to_deliver_by_how_long_the_canary_takes() -> None:
    def expected(strategy: Strategy) -> float:
        run, _ = delivered(DeliveryRule(strategy=strategy))
        return from_wire(ComputeWait, run.commands["await_compute"][1]["input"]).ticket.expected_seconds

    quick = expected(Strategy(watch_seconds=1))

    assert expected(Strategy(steps=(5, 25, 50), soak_seconds=300, watch_seconds=11)) == quick + 3 * 300 + 10


def test_the_plan_of_the_pipeline_reaches_every_roll_out() -> None:
    run, record = delivered(RULE)

    assert record.outcome is Outcome.PROMOTED
    asked = rollouts(run)
    assert [rollout.target for rollout in asked] == ["a", "b", "c"]
    first = asked[0]
    assert (first.schema, first.strategy, first.resources) == (PLANNED_ROLLOUT, RULE.strategy, RULE.resources)
    assert (first.model, first.version, first.image) == (record.model, record.version, record.image)
    assert first.record is not None, "what is announced while a decision is awaited"
    assert rollouts(delivered(DeliveryRule())[0])[0].record is None


def test_by_default_one_failure_leaves_the_others_as_they_are() -> None:
    _, record = delivered(RULE, "a")
    assert record.outcome is Outcome.PROMOTED
    assert [result.deployed for result in record.targets] == [False, True, True]


def test_all_go_back_when_the_pipeline_says_so() -> None:
    reached = to_wire(GoalEnd(target="a", reached=True, changed=True))
    run, record = delivered(replace(RULE, on_failure=OnFailure.ROLL_BACK_ALL), "b", reach_goal=reached)

    assert (record.outcome, record.failure_kind) == (Outcome.ROLLED_BACK, FailureKind.CODE)
    goals = [from_wire(TargetGoal, command["input"]) for command in run.commands["reach_goal"]]
    assert [(goal.target, goal.without) for goal in goals] == [("a", record.run_id)]
    assert [rollout.target for rollout in rollouts(run)] == ["a", "b"], "the third one was not begun"
    assert [(result.deployed, result.serves) for result in record.targets] == [
        (False, "old"),
        (False, None),
        (False, None),
    ]


def test_a_model_that_is_rejected_everywhere_is_not_promoted_and_nothing_failed() -> None:
    result = to_wire(TargetResult(target="a", deployed=False, reason="ada rejected it", approval=NO, touched=False))
    _, record = delivered(RULE, roll_out=result)
    assert (record.outcome, record.failure_kind, record.job_failed) == (Outcome.NOT_PROMOTED, None, False)


def delivery_ticket(run: Played) -> ComputeTicket:
    tickets = [from_wire(ComputeWait, command["input"]).ticket for command in run.commands["await_compute"]]
    (ticket,) = [each for each in tickets if is_delivery(each.compute)]
    return ticket


def test_only_a_run_that_would_be_promoted_has_one_that_waits_for_approval_give_way() -> None:
    good, record = delivered(RULE)
    bad, worse = delivered(RULE, collect_training=value(a_trained_model(metrics={"accuracy": 0.1})))

    assert (record.outcome, worse.outcome) == (Outcome.PROMOTED, Outcome.NOT_PROMOTED)
    assert delivery_ticket(good).takes_over == NEWER_AND_READY
    assert delivery_ticket(bad).takes_over == ""
    assert delivery_ticket(good).data_at == a_snapshot().taken_at


def test_a_model_that_serves_gets_a_passport_and_the_run_ends_well_without_one() -> None:
    run, record = delivered(RULE)
    assert run.commands["issue_passport"] == [{"run_id": record.run_id}]
    assert run.asked.index("record_run") < run.asked.index("issue_passport")

    for trouble in (refusal(Code.REGISTRY_REFUSED, "no"), Exception("the registry is away")):
        _, without = delivered(RULE, issue_passport=trouble)
        assert without == record

    rolled_back, _ = delivered(RULE, "a", "b", "c")
    assert "issue_passport" not in rolled_back.asked
