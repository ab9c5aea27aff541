"""Actions whose orchestration is gone, and pipelines that train no more."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.reconciler.data_changes import detect_data_changes
from function_app.reconciler.hand_actions import recover_actions
from shared.decisions.delivery.action_recovery import EndAction, StartAction, decide_orphaned_action
from shared.decisions.reconciliation.orphans import InstanceStatus, Liveness
from shared.messages import Action, ActionEnd, ActionKind, Actor, ActorKind, EndedAction, Retirement
from shared.values.wire import from_wire
from tests.support.durable_client import RuntimeStatus
from tests.support.reconciler import WatchedWorld
from tests.support.workflow import START
from tests.unit.function_app.reconciler.paged_hub import PagedHub

WHO = Actor(kind=ActorKind.PERSON, name="ada")
ACTION = Action(
    action_id="back-churn-1",
    kind=ActionKind.ROLL_BACK,
    pipeline="breast-cancer",
    by=WHO,
    reason="it is wrong",
    asked_at=START,
    target="hub-vm",
    to="a-1",
    bad="a-2",
)


def test_an_action_whose_app_died_between_its_two_rows_has_an_end_to_be_found(world: WatchedWorld) -> None:
    ledger = world.services.ledger
    table: Any = ledger.actions._actions
    table.before = _dies_at_the_second
    with pytest.raises(RuntimeError):
        ledger.actions.begin(ACTION)
    table.before = lambda _: None
    assert ledger.actions.action(ACTION.action_id) is None

    world.cycle(recover_actions)
    ledger.actions.end(ActionEnd(action_id=ACTION.action_id, done=True, sentence="done", ended_at=START))

    assert ledger.actions.ended(ACTION.action_id) is not None
    assert ledger.actions.unfinished() == []


def _dies_at_the_second(operation: str) -> None:
    if operation == "insert":
        raise RuntimeError


@pytest.mark.parametrize(
    ("status", "started", "ended"),
    [
        (None, True, False),
        (RuntimeStatus.Running, False, False),
        (RuntimeStatus.Failed, True, False),
        (RuntimeStatus.Completed, True, False),
        (RuntimeStatus.Terminated, False, True),
    ],
)
def test_an_action_without_an_end_is_started_again_unless_somebody_ended_it(
    world: WatchedWorld, status: RuntimeStatus | None, *, started: bool, ended: bool
) -> None:
    ledger = world.services.ledger
    announced: list[EndedAction] = []
    world.services.__dict__["announcements"] = SimpleNamespace(publish_action=announced.append)
    ledger.actions.begin(ACTION)
    if status:
        world.has_instance(ACTION.action_id, status)

    world.cycle(recover_actions)

    assert (ACTION.action_id in world.client.started) is started
    if started:
        assert from_wire(Action, world.client.instances[ACTION.action_id].given) == ACTION
    end = ledger.actions.ended(ACTION.action_id)
    assert (end is not None and not end.done) is ended
    assert [each.end for each in announced] == ([end] if ended else [])
    assert (ledger.actions.unfinished() == []) is ended


def test_an_end_that_was_recorded_stays(world: WatchedWorld) -> None:
    ledger = world.services.ledger
    done = ActionEnd(action_id=ACTION.action_id, done=True, sentence="done", ended_at=START)
    ledger.actions.begin(ACTION)
    ledger.actions.end(done)
    ledger.actions.begin(ACTION)  # a repeated request opens it again

    world.cycle(recover_actions)

    assert world.client.started == []
    assert ledger.actions.ended(ACTION.action_id) == done
    assert ledger.actions.unfinished() == []


def test_data_of_a_retired_pipeline_are_not_looked_at(world: WatchedWorld, hub: PagedHub) -> None:
    for pipeline in world.services.pipelines.all:
        world.services.ledger.actions.retire(Retirement(pipeline=pipeline.name, by=WHO, reason="over", at=START))

    async def scan(context: Any) -> None:
        await recover_actions(context)
        await detect_data_changes(context, [])

    context, _ = world.cycle(scan)

    assert context.retired == {pipeline.name for pipeline in world.services.pipelines.all}
    assert world.client.started == []
    assert context.failed == 0


@given(
    life=st.sampled_from(Liveness),
    updated=st.none() | st.integers(-100_000, 200_000).map(lambda seconds: START + timedelta(seconds=seconds)),
    now=st.integers(0, 200_000).map(lambda seconds: START + timedelta(seconds=seconds)),
)
def test_every_action_ends_or_goes_on(life: Liveness, updated: Any, now: Any) -> None:
    step = decide_orphaned_action(ACTION, InstanceStatus(life=life, updated_at=updated), now=now)

    if life is Liveness.ALIVE:
        assert step is None
    if life is Liveness.TERMINATED:
        assert isinstance(step, EndAction)
    later = now + timedelta(days=20)
    if life in {Liveness.FAILED, Liveness.COMPLETED}:
        assert isinstance(
            decide_orphaned_action(ACTION, InstanceStatus(life=life, updated_at=updated), now=later), EndAction
        )
    if life is Liveness.NEVER:
        assert isinstance(decide_orphaned_action(ACTION, InstanceStatus(life=life), now=later), StartAction)
