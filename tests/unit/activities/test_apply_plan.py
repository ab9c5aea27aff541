from dataclasses import replace
from typing import Any

import pytest

from activities.apply_plan import apply_plan
from shared.errors import Code, PermanentError, TransientError
from shared.messages import (
    Action,
    ActionKind,
    Actor,
    ActorKind,
    ApplyPlan,
    KnownImage,
    ObservedRelease,
    Outcome,
    PlannedRelease,
    ReleaseState,
    Retirement,
    Serving,
    ServingPlan,
)
from shared.messages.runs import first_record
from tests.support.builders import a_run_request
from tests.support.memory_tables import memory_ledger
from tests.support.workflow import START

REQUEST = a_run_request()
RUN, PIPELINE, IMAGE = REQUEST.run_id, REQUEST.pipeline, "registry/models/m@sha256:1"


class World:
    """A ledger that knows a run and its image, and a target that writes down its plans."""

    def __init__(self) -> None:
        self.ledger = memory_ledger()
        self.ledger.runs.claim_run(REQUEST)
        self.ledger.built_images.keep(KnownImage(run_id=RUN, pipeline=PIPELINE, reference=IMAGE))
        self.applied: list[ServingPlan] = []
        self.trouble: Exception | None = None

    def open(self, target: str) -> Any:
        assert target == "hub-vm"
        return self

    def apply(self, plan: ServingPlan) -> None:
        if self.trouble:
            raise self.trouble
        self.applied.append(plan)

    def observe(self, pipeline: str) -> Serving:
        raise NotImplementedError

    def call(self, plan: ServingPlan) -> None:
        apply_plan(
            ApplyPlan(plan=plan, by=RUN),
            desired=self.ledger.targets,
            images=self.ledger.built_images,
            runs=self.ledger.runs,
            actions=self.ledger.actions,
            targets=self,
            now=START,
        )

    @property
    def desired(self) -> ServingPlan | None:
        return self.ledger.targets.of("hub-vm", PIPELINE).desired


@pytest.fixture
def world() -> World:
    return World()


def a_serving_plan(run_id: str = RUN, image: str = IMAGE, pipeline: str = PIPELINE) -> ServingPlan:
    releases = (PlannedRelease(run_id=run_id, image=image, weight=100),)
    return ServingPlan(target="hub-vm", pipeline=pipeline, releases=releases)


def test_a_plan_is_recorded_and_given_to_the_target(world: World) -> None:
    plan = a_serving_plan()
    world.call(plan)
    world.call(plan)
    assert (world.desired, world.applied) == (plan, [plan, plan])


def test_a_plan_for_a_target_that_is_away_is_recorded_all_the_same(world: World) -> None:
    world.trouble = TransientError("no route")
    with pytest.raises(TransientError):
        world.call(a_serving_plan())
    assert world.desired == a_serving_plan()


@pytest.mark.parametrize(
    "plan",
    [
        a_serving_plan(image="registry/models/m@sha256:2"),
        a_serving_plan(run_id="breast-cancer-000000000000-1"),
        a_serving_plan(run_id="../x"),
        a_serving_plan(pipeline="digits"),
    ],
)
def test_an_image_that_the_ledger_does_not_know_reaches_no_target(world: World, plan: ServingPlan) -> None:
    with pytest.raises(PermanentError) as refused:
        world.call(plan)
    assert refused.value.code is Code.UNKNOWN_RELEASE
    assert (world.desired, world.applied) == (None, [])


def test_what_serves_there_already_may_go_on(world: World) -> None:
    old = a_serving_plan(run_id="old", image="registry/models/m@sha256:0")
    there = ObservedRelease(run_id="old", image="registry/models/m@sha256:0", state=ReleaseState.HEALTHY, weight=100)
    world.ledger.targets.saw(Serving(target="hub-vm", pipeline=PIPELINE, releases=(there,)), at=START)
    world.call(old)
    assert world.applied == [old]


def test_the_image_in_the_record_of_an_older_run_is_known(world: World) -> None:
    world.ledger.built_images.forget(RUN)
    with pytest.raises(PermanentError):
        world.call(a_serving_plan())
    world.ledger.runs.record_run(_ended(image=IMAGE, outcome=None))
    world.call(a_serving_plan())
    assert world.applied == [a_serving_plan()]


def test_a_run_that_has_ended_changes_nothing_any_more(world: World) -> None:
    world.ledger.runs.record_run(_ended(outcome=Outcome.CANCELLED))
    with pytest.raises(PermanentError) as refused:
        world.call(a_serving_plan())
    assert refused.value.code is Code.RUN_ENDED
    assert (world.desired, world.applied) == (None, [])


def _retire(world: World) -> Retirement:
    ada = Actor(kind=ActorKind.PERSON, name="ada@example.org")
    return world.ledger.actions.retire(Retirement(pipeline=PIPELINE, by=ada, reason="a new line", at=START))


def _begin(world: World, mark: Retirement) -> None:
    kind = ActionKind.RETIRE
    world.ledger.actions.begin(
        Action(action_id=mark.action_id, kind=kind, pipeline=PIPELINE, by=mark.by, reason=mark.reason, asked_at=mark.at)
    )


def test_a_late_run_of_a_retired_pipeline_brings_nothing_to_its_targets(world: World) -> None:
    _begin(world, _retire(world))
    with pytest.raises(PermanentError) as refused:
        world.call(a_serving_plan())
    assert refused.value.code is Code.PIPELINE_RETIRED
    assert "ada@example.org" in refused.value.reason
    assert (world.desired, world.applied) == (None, [])


def test_a_retired_pipeline_is_emptied(world: World) -> None:
    world.call(a_serving_plan())
    _begin(world, _retire(world))
    nothing = ServingPlan(target="hub-vm", pipeline=PIPELINE)
    world.call(nothing)
    assert (world.desired, world.applied[-1]) == (nothing, nothing)


def test_a_mark_that_may_yet_be_taken_back_stops_no_run(world: World) -> None:
    _retire(world)
    world.call(a_serving_plan())
    assert world.applied == [a_serving_plan()]


def test_a_reinstated_pipeline_is_rolled_out_again(world: World) -> None:
    _begin(world, _retire(world))
    world.ledger.actions.reinstate(PIPELINE)
    world.call(a_serving_plan())
    assert world.applied == [a_serving_plan()]


def _ended(**changes: Any) -> Any:
    return replace(first_record(REQUEST), **changes)
