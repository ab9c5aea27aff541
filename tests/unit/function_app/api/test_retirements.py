"""Retire, from the request to what the target serves and the ledger says."""

from typing import Any

import pytest

from activities.admission_evaluation import AdmissionEvaluator
from function_app.api import delivery_models as d
from shared.errors import Code, PermanentError
from shared.messages import (
    AdmissionRequest,
    Cause,
)
from tests.support.api import a_request, answer_of
from tests.support.durable_client import MemoryClient
from tests.support.hands import PIPELINE, TARGET, HandsWorld, a_run
from tests.support.workflow import START
from tests.unit.function_app.api.hands_by_request import played, refusal, retired, shown


@pytest.fixture
def world() -> HandsWorld:
    return HandsWorld()


def test_a_retired_pipeline_serves_nothing_trains_nothing_and_keeps_its_history(world: HandsWorld) -> None:
    client = MemoryClient()

    begun = retired(world, client)
    end = played(world, client)

    assert (end.done, end.left) == (True, ())
    assert world.serves == {}
    assert world.ledger.champions.champion(PIPELINE).run_id is None
    assert len(world.ledger.runs.list_runs([PIPELINE]).items) == 2
    assert shown(world, begun.view.action_id).state is d.ActionState.DONE
    with pytest.raises(PermanentError) as refused:
        evaluator(world).evaluate(a_wish(), no_snapshot)
    assert refused.value.code is Code.PIPELINE_RETIRED
    assert "it is wrong" in refused.value.reason


def evaluator(world: HandsWorld) -> AdmissionEvaluator:
    return world.evaluator


def a_wish() -> AdmissionRequest:
    return AdmissionRequest(pipeline=PIPELINE, cause=Cause.OPERATOR, requested_by="me", requested_at=START)


def no_snapshot(*_: Any, **__: Any) -> Any:
    raise AssertionError("the data of a retired pipeline are not listed")


def test_a_retired_pipeline_is_taken_back_when_its_retirement_is_over(
    world: HandsWorld, caplog: pytest.LogCaptureFixture
) -> None:
    client = MemoryClient()
    retired(world, client)
    assert refusal("reinstate_pipeline", world, PIPELINE).code == "being_retired"
    played(world, client)

    caplog.set_level("INFO", "function_app.api.retirements")
    answer_of("reinstate_pipeline", a_request("POST", path=PIPELINE), world)

    assert world.ledger.actions.retirement(PIPELINE) is None
    assert f"pipeline {PIPELINE} is reinstated by a caller without a key" in caplog.text
    assert world.serves == {}
    assert refusal("reinstate_pipeline", world, PIPELINE).code == "not_retired"


def test_retiring_twice_is_once(world: HandsWorld) -> None:
    client = MemoryClient()

    first, second = retired(world, client), retired(world, client)
    played(world, client)
    third = retired(world, client)

    assert first.view.action_id == second.view.action_id == third.view.action_id
    assert third.view.state is d.ActionState.DONE
    assert len(client.started) == 1


def test_a_pipeline_with_runs_under_way_is_not_retired(world: HandsWorld) -> None:
    world.ledger.runs.claim_run(a_run(3))

    refused = refusal("retire_pipeline", world, PIPELINE)

    assert refused.code == "runs_under_way"
    assert world.ledger.actions.retirement(PIPELINE) is None


def test_a_target_that_cannot_be_emptied_is_left_to_the_reconciler(world: HandsWorld) -> None:
    client = MemoryClient()
    retired(world, client)
    unreached = {"target": TARGET, "reached": False, "trouble": "no route to host"}
    end = played(world, client, reach_goal=lambda _: unreached)

    assert not end.done
    assert "no route to host" in end.left[0]
    assert world.ledger.champions.champion(PIPELINE).run_id is None
