from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from function_app.api import delivery_models as d
from function_app.problems import RefusedError
from shared.errors import Code, PermanentError
from shared.messages import (
    Actor,
    ActorKind,
    FailedAttempt,
    Outcome,
    Quarantine,
    Retirement,
    RunRecord,
    RunRequest,
    Stage,
    TrainingPhase,
    TrainingRef,
    TrainingStatus,
)
from shared.values.wire import from_wire
from tests.support.api import MemoryServices, a_request, answer_of
from tests.support.builders import a_run_request
from tests.support.durable_client import MemoryClient
from tests.support.workflow import START

RUN = a_run_request(schema=4)
NEXT = f"{RUN.run_id[:-1]}2"


@pytest.fixture
def services() -> MemoryServices:
    services = MemoryServices()
    services.ledger.runs.claim_run(RUN)
    return services


def ended(services: MemoryServices, outcome: Outcome = Outcome.FAILED, **changes: Any) -> None:
    record = services.ledger.runs.run(RUN.run_id)
    assert record is not None
    shown: dict[str, Any] = {"stage": Stage.DELIVERING, "metrics": {"accuracy": 0.97}, "ended_at": START} | changes
    services.ledger.runs.record_run(replace(record, outcome=outcome, **shown))


def resume(services: MemoryServices, client: MemoryClient, run_id: str = RUN.run_id, **body: str) -> Any:
    return answer_of("resume_run", a_request("POST", path=run_id, body=body), services, client)


def refusal(services: MemoryServices) -> RefusedError:
    client = MemoryClient()
    with pytest.raises(RefusedError) as refused:
        resume(services, client)
    assert client.started == []
    return refused.value


def trainings(services: MemoryServices, answer: Any) -> None:
    def check(ref: TrainingRef) -> TrainingStatus:
        assert ref.run_id == RUN.run_id
        if isinstance(answer, Exception):
            raise answer
        return TrainingStatus(phase=answer)

    services.__dict__["driver"] = SimpleNamespace(check=check)


def test_a_run_that_failed_after_its_training_goes_on_as_the_next_attempt(services: MemoryServices) -> None:
    ended(services)
    client = MemoryClient()

    said = resume(services, client, by="ada", reason="the registry is back")

    assert said.begun
    assert said.view == d.Resumed(run_id=NEXT, resumes=RUN.run_id, sentence=said.view.sentence)
    given = from_wire(RunRequest, client.instances[NEXT].given)
    assert (given.continues, given.training, given.snapshot, given.parameters) == (
        RUN.run_id,
        RUN.run_id,
        RUN.snapshot,
        RUN.parameters,
    )
    assert "the registry is back" in given.note
    assert "ada" in given.note
    record = services.ledger.runs.run(NEXT)
    assert record is not None
    assert record.continues == RUN.run_id


def test_repeating_it_finds_the_attempt_of_the_first_request(services: MemoryServices) -> None:
    ended(services)
    client = MemoryClient()

    first, second = resume(services, client), resume(services, client)

    assert (first.view.run_id, first.begun, second.view.run_id, second.begun) == (NEXT, True, NEXT, False)
    assert client.started == [NEXT]


def test_an_attempt_that_was_claimed_and_not_started_is_started_by_the_next_request(services: MemoryServices) -> None:
    ended(services)
    resume(services, MemoryClient())
    client = MemoryClient()

    said = resume(services, client)

    assert said.begun
    assert client.started == [NEXT]


def test_it_does_not_train_by_a_retry_of_its_own_any_more(services: MemoryServices) -> None:
    ended(services)
    services.ledger.retries.plan(RUN.run_id, RUN.pipeline, START)

    resume(services, MemoryClient())

    assert services.ledger.retries.all() == []


@pytest.mark.parametrize("outcome", [Outcome.PROMOTED, Outcome.NOT_PROMOTED])
def test_a_run_that_was_judged_is_not_resumed(services: MemoryServices, outcome: Outcome) -> None:
    ended(services, outcome)

    assert (refusal(services).status, refusal(services).code) == (409, "not_resumable")


def test_a_run_that_goes_on_is_not_resumed(services: MemoryServices) -> None:
    assert refusal(services).code == "not_resumable"


@pytest.mark.parametrize(
    ("answer", "resumable"),
    [
        (TrainingPhase.COMPLETED, True),
        (TrainingPhase.FAILED, False),
        (TrainingPhase.CANCELLED, False),
        (PermanentError("no such run", code=Code.TRAINING_UNKNOWN), False),
    ],
)
def test_whether_a_cancelled_run_has_trained_is_asked_of_the_training_service(
    services: MemoryServices, answer: Any, *, resumable: bool
) -> None:
    ended(services, Outcome.CANCELLED, stage=Stage.WAITING, metrics={})
    trainings(services, answer)

    if resumable:
        assert resume(services, MemoryClient()).begun
    else:
        assert refusal(services).code == "not_resumable"


def later(services: MemoryServices, outcome: Outcome | None) -> RunRecord:
    services.ledger.runs.claim_run(replace(RUN, run_id=NEXT, attempt=2, requested_by="somebody"))
    record = services.ledger.runs.run(NEXT)
    assert record is not None
    if outcome:
        services.ledger.runs.record_run(replace(record, outcome=outcome))
    return record


@pytest.mark.parametrize("outcome", [None, Outcome.PROMOTED])
def test_a_later_attempt_that_goes_on_or_was_judged_comes_first(
    services: MemoryServices, outcome: Outcome | None
) -> None:
    ended(services)
    later(services, outcome)

    assert NEXT in refusal(services).reason


def test_after_a_later_attempt_that_failed_it_is_the_one_after_that(services: MemoryServices) -> None:
    ended(services)
    later(services, Outcome.FAILED)

    assert resume(services, MemoryClient()).view.run_id == f"{RUN.run_id[:-1]}3"


def test_what_is_put_aside_stays_so(services: MemoryServices) -> None:
    ended(services)
    failure = FailedAttempt(run_id=RUN.run_id, reason="bad rows", ended_at=START)
    services.ledger.quarantines.put(
        Quarantine(
            pipeline=RUN.pipeline, fingerprint=RUN.fingerprint, snapshot_digest="x", since=START, failures=(failure,)
        )
    )

    assert "bad rows" in refusal(services).reason


def test_a_retired_pipeline_stays_so(services: MemoryServices) -> None:
    ended(services)
    by = Actor(kind=ActorKind.PERSON, name="ada")
    services.ledger.actions.retire(Retirement(pipeline=RUN.pipeline, by=by, reason="replaced", at=START))

    assert "reinstate" in refusal(services).reason


def test_a_run_nobody_knows_is_not_found(services: MemoryServices) -> None:
    with pytest.raises(RefusedError) as refused:
        resume(services, MemoryClient(), "no-such-run")

    assert refused.value.status == 404
