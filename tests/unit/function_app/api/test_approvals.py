from dataclasses import replace
from typing import Any

import pytest

from function_app import activity_wiring
from function_app.problems import RefusedError
from shared.messages import (
    DELIVERY_SCHEMA,
    Approval,
    ApprovalQuery,
    ApprovalRule,
    DeliveryRule,
    Outcome,
    TargetPlan,
)
from shared.orchestration_ids import roll_out_id
from tests.support.api import MemoryServices, a_request, answer_of
from tests.support.builders import a_plan, a_run_request
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus

TARGETS = (TargetPlan(name="hub-vm", health_seconds=30), TargetPlan(name="cloud", health_seconds=30))
ASKS = DeliveryRule(approval=ApprovalRule())
RUN = a_run_request(schema=DELIVERY_SCHEMA, plan=a_plan(targets=TARGETS, delivery=ASKS))


@pytest.fixture
def services() -> MemoryServices:
    services = MemoryServices()
    services.ledger.runs.claim_run(RUN)
    return services


@pytest.fixture
def client() -> MemoryClient:
    return in_stage("rolling_out")


def in_stage(stage: str) -> MemoryClient:
    instance = Instance(runtime_status=RuntimeStatus.Running, custom_status={"stage": stage})
    return MemoryClient(instances={RUN.run_id: instance})


def ask(name: str, services: MemoryServices, client: MemoryClient, **body: str) -> Any:
    return answer_of(name, a_request("POST", path=RUN.run_id, body=body), services, client)


def refusal(name: str, services: MemoryServices, client: MemoryClient, **body: str) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        ask(name, services, client, **body)
    return refused.value


def test_one_yes_is_for_every_target_that_waits_and_wakes_their_roll_outs(
    services: MemoryServices, client: MemoryClient
) -> None:
    said = ask("approve_run", services, client, by="ada", reason="looks good")

    assert {(each.target, each.decision, each.reason) for each in said.decisions} == {
        ("hub-vm", "approved", "looks good"),
        ("cloud", "approved", "looks good"),
    }
    assert all("ada" in each.by for each in said.decisions)
    for target in ("hub-vm", "cloud"):
        assert services.ledger.approvals.of(RUN.run_id, target).approved is True
    assert client.raised == [(roll_out_id(RUN, target), "decided") for target in ("hub-vm", "cloud")]


def test_a_no_may_be_for_one_target(services: MemoryServices, client: MemoryClient) -> None:
    ask("reject_run", services, client, target="cloud", reason="not there")
    said = ask("approve_run", services, client)

    assert services.ledger.approvals.of(RUN.run_id, "cloud").approved is False
    assert services.ledger.approvals.of(RUN.run_id, "hub-vm").approved is True
    assert {(each.target, each.decision) for each in said.decisions} == {("cloud", "rejected"), ("hub-vm", "approved")}


@pytest.mark.parametrize("otherwise", [True, False])
def test_who_comes_after_the_time_is_over_is_told(
    services: MemoryServices, client: MemoryClient, *, otherwise: bool
) -> None:
    """Another roll-out of the run may be under way, or wait, so the run has not ended."""
    for target in ("hub-vm", "cloud"):
        query = ApprovalQuery(run_id=RUN.run_id, target=target, otherwise=otherwise)
        activity_wiring.read_approval(query, services)

    refused = refusal("reject_run" if otherwise else "approve_run", services, client, by="ada", reason="late")

    assert (refused.status, refused.code) == (409, "decided_already")
    assert "nobody decided in time" in refused.reason
    same = ask("approve_run" if otherwise else "reject_run", services, client, by="ada", reason="late")
    assert {each.by for each in same.decisions} == {"nobody"}


def test_somebody_who_decided_in_time_counts_also_when_it_is_read_late(services: MemoryServices) -> None:
    services.ledger.approvals.decide(Approval(run_id=RUN.run_id, target="cloud", approved=True, by="ada"))

    found = activity_wiring.read_approval(ApprovalQuery(run_id=RUN.run_id, target="cloud", otherwise=False), services)

    assert (found.approved, found.by) == (True, "ada")


@pytest.mark.parametrize("target", [{}, {"target": "cloud"}])
def test_the_first_decision_stays(services: MemoryServices, client: MemoryClient, target: dict[str, str]) -> None:
    ask("approve_run", services, client, by="ada")

    again = ask("approve_run", services, client, by="grace", **target)
    refused = refusal("reject_run", services, client, reason="no", **target)

    assert all("ada" in each.by for each in again.decisions)
    assert (refused.status, refused.code) == (409, "decided_already")
    assert "ada" in refused.reason


def test_a_hint_that_is_lost_loses_no_decision(services: MemoryServices, client: MemoryClient) -> None:
    client.deaf = True

    ask("approve_run", services, client)

    assert services.ledger.approvals.of(RUN.run_id, "hub-vm").approved is True


@pytest.mark.parametrize("stage", ["waiting", "training", "judging", "delivering"])
def test_a_model_that_is_not_there_yet_is_not_decided_about(services: MemoryServices, stage: str) -> None:
    refused = refusal("approve_run", services, in_stage(stage))

    assert (refused.status, refused.code) == (409, "not_waiting")
    assert stage in refused.reason


def test_a_run_that_has_ended_waits_for_nothing(services: MemoryServices, client: MemoryClient) -> None:
    record = services.ledger.runs.run(RUN.run_id)
    assert record is not None
    services.ledger.runs.record_run(replace(record, outcome=Outcome.PROMOTED))

    assert refusal("reject_run", services, client, reason="no").code == "not_waiting"


def test_a_run_that_asks_nobody_needs_no_yes(client: MemoryClient) -> None:
    services = MemoryServices()
    services.ledger.runs.claim_run(replace(RUN, plan=a_plan(targets=TARGETS)))

    assert refusal("approve_run", services, client).code == "not_waiting"


def test_a_target_that_it_does_not_go_to_is_named(services: MemoryServices, client: MemoryClient) -> None:
    refused = refusal("approve_run", services, client, target="moon")

    assert (refused.status, refused.field) == (404, "target")
    assert "hub-vm" in refused.reason
