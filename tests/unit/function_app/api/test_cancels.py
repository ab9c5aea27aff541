from dataclasses import replace

import pytest

from function_app import activity_wiring
from function_app.api import models as m
from function_app.problems import RefusedError
from shared.errors import Code, PermanentError
from shared.messages import DELIVERY_SCHEMA, UNDOING, Outcome, RunEnd, Stage
from shared.orchestration_ids import children_of, finalization_id
from shared.values.wire import from_wire
from tests.support.api import MemoryServices, a_request, answer_of
from tests.support.builders import a_run_request
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.workflow import START

RUN = a_run_request(schema=DELIVERY_SCHEMA)


@pytest.fixture
def services() -> MemoryServices:
    services = MemoryServices()
    services.ledger.runs.claim_run(RUN)
    return services


def cancel(services: MemoryServices, client: MemoryClient, run_id: str = RUN.run_id, **body: str) -> m.Cancelled:
    said: m.Cancelled = answer_of("cancel_run", a_request("POST", path=run_id, body=body), services, client)
    return said


def ended(services: MemoryServices) -> None:
    record = services.ledger.runs.run(RUN.run_id)
    assert record is not None
    services.ledger.runs.record_run(replace(record, outcome=Outcome.FAILED))


def test_a_run_that_goes_on_is_stopped_with_all_its_children_and_wound_up_at_once(services: MemoryServices) -> None:
    alive = (RUN.run_id, *children_of(RUN))
    client = MemoryClient(instances={each: Instance(runtime_status=RuntimeStatus.Running) for each in alive})
    client.instances[RUN.run_id].custom_status = {"stage": "rolling_out"}

    said = cancel(services, client, by="ada", reason="wrong data")

    assert {client.instances[each].runtime_status for each in alive} == {RuntimeStatus.Terminated}
    end = from_wire(RunEnd, client.instances[finalization_id(RUN.run_id)].given)
    assert (end.record.outcome, end.record.stage, end.schema) == (Outcome.CANCELLED, Stage.ROLLING_OUT, UNDOING)
    assert (end.targets, end.training, end.compute) == (("hub-vm",), RUN.run_id, RUN.plan.compute)
    assert "ada" in end.record.reason
    assert "a key, not a person" in end.record.reason or "without a key" in end.record.reason
    assert end.record.reason.endswith(": wrong data")
    assert said.sentence.startswith(f"run {RUN.run_id} is being cancelled")
    kept = services.ledger.runs.cancellation(RUN.run_id)
    assert kept is not None
    assert (kept.reason, kept.by.said) == ("wrong data", "ada")


def test_a_repeated_request_leaves_the_first_one_at_work(services: MemoryServices) -> None:
    client = MemoryClient(instances={RUN.run_id: Instance(runtime_status=RuntimeStatus.Running)})

    cancel(services, client, reason="first")
    cancel(services, client, reason="second")

    assert client.started == [finalization_id(RUN.run_id)]
    kept = services.ledger.runs.cancellation(RUN.run_id)
    assert kept is not None
    assert kept.reason == "first"


@pytest.mark.parametrize("status", [RuntimeStatus.Failed, RuntimeStatus.Terminated, None])
def test_a_run_without_an_orchestration_is_wound_up_too(services: MemoryServices, status: RuntimeStatus | None) -> None:
    client = MemoryClient(instances={RUN.run_id: Instance(runtime_status=status)})

    cancel(services, client)

    assert client.started == [finalization_id(RUN.run_id)]


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.CANCELLED])
def test_a_cancelled_run_gets_no_other_outcome_afterwards(services: MemoryServices, outcome: Outcome) -> None:
    cancel(services, MemoryClient())
    record = services.ledger.runs.run(RUN.run_id)
    assert record is not None

    with pytest.raises(PermanentError) as refused:  # so that nothing is announced of it
        activity_wiring.record_run(replace(record, outcome=outcome, ended_at=START), services)

    assert refused.value.code is Code.RUN_CANCELLED
    kept = services.ledger.runs.run(RUN.run_id)
    assert kept is not None
    assert kept.outcome is None
    assert services.ledger.champions.champion(RUN.pipeline).run_id is None
    activity_wiring.record_run(replace(record, outcome=Outcome.CANCELLED, ended_at=START), services)
    kept = services.ledger.runs.run(RUN.run_id)
    assert kept is not None
    assert kept.outcome is Outcome.CANCELLED


def test_further_attempts_after_a_failed_run_are_given_up(services: MemoryServices) -> None:
    ended(services)
    services.ledger.retries.plan(RUN.run_id, RUN.pipeline, START)

    said = cancel(services, MemoryClient())

    assert services.ledger.retries.all() == []
    assert RUN.run_id in said.sentence
    assert "not try" in said.sentence


def test_a_run_that_has_ended_for_good_is_left_as_it_is_and_that_is_said(services: MemoryServices) -> None:
    ended(services)
    client = MemoryClient(instances={RUN.run_id: Instance(runtime_status=RuntimeStatus.Completed)})

    said = cancel(services, client)

    assert client.instances[RUN.run_id].runtime_status is RuntimeStatus.Completed
    assert said.sentence.endswith("so there is nothing to cancel")


def test_a_run_nobody_knows_is_not_found(services: MemoryServices) -> None:
    with pytest.raises(RefusedError) as refused:
        cancel(services, MemoryClient(), "no-such-run")

    assert refused.value.status == 404
