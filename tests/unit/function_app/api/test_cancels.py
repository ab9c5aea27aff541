from dataclasses import replace

import pytest

from function_app.api import models as m
from function_app.problems import RefusedError
from shared.messages import Outcome
from tests.support.api import MemoryServices, a_request, answer_of
from tests.support.builders import a_run_request
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.workflow import START

RUN = a_run_request()


@pytest.fixture
def services() -> MemoryServices:
    services = MemoryServices()
    services.ledger.runs.claim_run(RUN)
    return services


def cancel(services: MemoryServices, client: MemoryClient, run_id: str = RUN.run_id) -> m.Cancelled:
    said: m.Cancelled = answer_of("cancel_run", a_request("POST", path=run_id), services, client)
    return said


def ended(services: MemoryServices) -> None:
    record = services.ledger.runs.run(RUN.run_id)
    assert record is not None
    services.ledger.runs.record_run(replace(record, outcome=Outcome.FAILED))


def test_a_run_that_goes_on_is_terminated_and_left_to_the_reconciler(services: MemoryServices) -> None:
    client = MemoryClient(instances={RUN.run_id: Instance(runtime_status=RuntimeStatus.Running)})

    said = cancel(services, client)

    assert client.instances[RUN.run_id].runtime_status is RuntimeStatus.Terminated
    assert client.instances[RUN.run_id].output == f"it was cancelled by POST /api/runs/{RUN.run_id}/cancel"
    assert said.sentence.startswith(f"run {RUN.run_id} is being cancelled; ")


def test_further_attempts_after_a_failed_run_are_given_up(services: MemoryServices) -> None:
    ended(services)
    services.ledger.retries.plan(RUN.run_id, RUN.pipeline, START)

    said = cancel(services, MemoryClient())

    assert services.ledger.retries.all() == []
    assert RUN.run_id in said.sentence
    assert "not try" in said.sentence


@pytest.mark.parametrize("status", [RuntimeStatus.Failed, RuntimeStatus.Terminated, None])
def test_a_run_without_an_orchestration_is_the_reconcilers(
    services: MemoryServices, status: RuntimeStatus | None
) -> None:
    client = MemoryClient(instances={RUN.run_id: Instance(runtime_status=status)})

    with pytest.raises(RefusedError) as refused:
        cancel(services, client)

    assert refused.value.status == 409
    assert "the reconciler" in str(refused.value)


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
