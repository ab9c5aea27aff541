import pytest

from activities.plan_author import require_known_author
from shared.errors import Code, PermanentError
from shared.messages import Action, ActionKind, Actor, ActorKind, ApplyPlan, ServingPlan
from shared.orchestration_ids import finalization_id
from tests.support.builders import a_run_request
from tests.support.memory_tables import memory_ledger
from tests.support.workflow import START

REQUEST = a_run_request()
ACTION = Action(
    action_id="retire-breast-cancer-20260501",
    kind=ActionKind.RETIRE,
    pipeline=REQUEST.pipeline,
    by=Actor(kind=ActorKind.KEY, name="ops"),
    reason="replaced",
    asked_at=START,
)
STRANGERS = ["", "x", "../x", "a/b#c", "breast-cancer-000000000000-1", "x-wind-up", "-wind-up", "retire-x", "a" * 300]


def ask(by: str, pipeline: str = REQUEST.pipeline) -> None:
    ledger = memory_ledger()
    ledger.runs.claim_run(REQUEST)
    ledger.actions.begin(ACTION)
    command = ApplyPlan(plan=ServingPlan(target="hub-vm", pipeline=pipeline), by=by)
    require_known_author(command, runs=ledger.runs, actions=ledger.actions)


@pytest.mark.parametrize("by", [REQUEST.run_id, finalization_id(REQUEST.run_id), ACTION.action_id])
def test_a_run_its_finalization_and_an_action_may_ask_for_plans_of_their_own_pipeline(by: str) -> None:
    ask(by)
    with pytest.raises(PermanentError):
        ask(by, pipeline="digits")


@pytest.mark.parametrize("by", STRANGERS)
def test_somebody_whom_the_ledger_does_not_know_empties_no_target(by: str) -> None:
    with pytest.raises(PermanentError) as refused:
        ask(by)

    assert refused.value.code is Code.UNKNOWN_RELEASE
