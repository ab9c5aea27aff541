"""Targets come back to what they should run; what cannot be healed is named; nobody's work is disturbed."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.target_care import NOT_REACHED
from function_app.reconciler.targets import EVERY, look_after_targets, look_at
from function_app.reconciler.troubles import check_pipeline_files, record_troubles
from shared.decisions.training.compute_queue import Lease, QueueState
from shared.errors import Code, PermanentError, TransientError
from shared.messages import (
    Action,
    ActionKind,
    Actor,
    ActorKind,
    Champion,
    Outcome,
    PlannedRelease,
    ReleaseState,
    Retirement,
    ServingPlan,
    TargetEvent,
    TargetResult,
    TroubleKind,
    delivery_of,
)
from tests.support.kept_targets import KeptTarget, KeptTargets
from tests.support.reconciler import PIPELINE, WatchedWorld

TARGET = "hub-vm"
OLD, NEW = (f"{PIPELINE}-{letter * 12}-1" for letter in "ab")


def image_of(run_id: str) -> str:
    return f"registry.example/models/{PIPELINE}@sha256:{run_id.encode().hex()[:64].ljust(64, '0')}"


@dataclass
class Announced:
    events: list[TargetEvent] = field(default_factory=list)

    def publish_target(self, event: TargetEvent) -> None:
        self.events.append(event)


@dataclass
class Kept:
    """A world with one target; every pass is ten minutes after the one before."""

    world: WatchedWorld
    target: KeptTarget
    announced: Announced

    def passes(self, *, after: timedelta = EVERY) -> CycleContext:
        self.world.now += after

        async def steps(context: CycleContext) -> None:
            await check_pipeline_files(context)
            await look_after_targets(context)
            await record_troubles(context)

        context, _ = self.world.cycle(steps)
        return context

    def promoted(self, run_id: str, *, deployed: bool = True, desired: bool = True) -> None:
        """A run that was promoted and rolled out to the target."""
        ledger = self.world.ledger
        self.world.claims(run_id=run_id, fingerprint=run_id.split("-")[2] * 6, requested_by=run_id)
        record = ledger.runs.run(run_id)
        assert record is not None
        ended = replace(
            record,
            outcome=Outcome.PROMOTED,
            image=image_of(run_id),
            model="m",
            version="1",
            ended_at=self.world.now,
            targets=(TargetResult(target=TARGET, deployed=deployed),),
        )
        ledger.runs.record_run(ended)
        ledger.champions.crown(
            Champion(pipeline=PIPELINE, run_id=run_id, image=image_of(run_id), model="m", version="1"),
            since=self.world.now,
        )
        if desired:
            ledger.targets.desire(plan(run_id), by=run_id, at=self.world.now)
            self.target.apply(plan(run_id))

    @property
    def drift(self) -> str:
        return self.world.ledger.targets.of(TARGET, PIPELINE).drift

    @property
    def serving(self) -> dict[str, int]:
        return {each.run_id: each.weight for each in self.target.releases if each.state is ReleaseState.HEALTHY}

    @property
    def troubles(self) -> list[tuple[TroubleKind, str]]:
        return [(each.kind, each.cause) for each in self.world.ledger.troubles.of(PIPELINE)]


def plan(*run_ids: str) -> ServingPlan:
    weights = [100, 0]
    releases = (
        PlannedRelease(run_id=run_id, image=image_of(run_id), weight=weight)
        for run_id, weight in zip(run_ids, weights, strict=False)
    )
    return ServingPlan(target=TARGET, pipeline=PIPELINE, releases=tuple(releases))


@pytest.fixture
def kept(world: WatchedWorld) -> Kept:
    kept = Kept(world, KeptTarget(TARGET, PIPELINE), Announced())
    world.services.__dict__["targets"] = KeptTargets({TARGET: kept.target})
    world.services.__dict__["announcements"] = kept.announced
    return kept


def test_a_target_as_it_should_be_is_looked_at_every_ten_minutes(kept: Kept) -> None:
    kept.promoted(OLD)
    for _ in range(11):
        kept.passes(after=timedelta(minutes=2))

    seen = kept.world.ledger.targets.of(TARGET, PIPELINE).seen
    assert seen is not None
    assert seen.live is not None
    assert (seen.live.run_id, kept.target.looks, kept.drift, len(kept.target.plans)) == (OLD, 3, "", 1)
    assert kept.troubles == []


def test_without_any_run_no_target_is_asked(kept: Kept) -> None:
    kept.passes()

    assert kept.target.looks == 0


def test_a_lost_release_is_put_back_shown_and_announced_once(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.passes()
    kept.target.loses_its_containers()

    context = kept.passes()
    assert kept.serving == {OLD: 100}
    assert context.done["targets brought to their plans"] == 1
    assert "is gone" in kept.drift
    assert kept.troubles == [(TroubleKind.TARGET, f"target {TARGET}: {kept.drift}")]

    kept.passes(after=timedelta(minutes=2))
    assert (kept.drift, kept.troubles) == ("", [])
    assert [(event.kind.value, event.wanted) for event in kept.announced.events] == [("drifted", OLD), ("mended", OLD)]


def test_what_was_told_to_be_wrong_is_told_to_be_well_again_whatever_comes_between(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.target.loses_its_containers()
    gone, starting = kept.target.releases, ReleaseState.STARTING
    kept.passes()
    kept.target.broken = TransientError("ssh: no route to host")
    kept.passes()
    kept.target.broken, kept.target.releases = None, gone
    kept.passes()
    kept.target.releases = tuple(replace(each, state=starting, weight=0) for each in gone)
    kept.passes()
    assert [event.kind.value for event in kept.announced.events] == ["drifted"]

    kept.target.releases = tuple(replace(each, state=ReleaseState.HEALTHY, weight=100) for each in gone)
    kept.passes()
    kept.passes()
    assert [event.kind.value for event in kept.announced.events] == ["drifted", "mended"]


def test_a_target_that_does_not_answer_is_named_and_blamed_for_nothing(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.passes()
    kept.target.broken = TransientError("ssh: no route to host")

    kept.passes()
    first = kept.drift
    kept.passes()

    assert first.startswith(NOT_REACHED)
    assert "no route to host" in first
    assert kept.drift == first
    assert [kind for kind, _ in kept.troubles] == [TroubleKind.TARGET]
    assert kept.world.ledger.champions.champion(PIPELINE).run_id == OLD
    assert kept.world.ledger.targets.of(TARGET, PIPELINE).desired == plan(OLD)
    kept.target.broken = None
    kept.passes()
    assert (kept.drift, kept.troubles, kept.announced.events) == ("", [], [])


def test_a_target_that_refuses_says_why(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.target.broken = PermanentError("run: edgetrain prepare-vm", code=Code.TARGET_NOT_PREPARED)

    kept.passes()

    assert kept.drift == "cannot be asked: run: edgetrain prepare-vm"


def test_another_hand_is_named_and_replaced(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.target.is_served_by("mallory-1", "elsewhere.example/evil@sha256:" + "e" * 64)

    kept.passes()

    assert kept.serving == {OLD: 100}
    assert "evil@eeeeeeeeeeee of run mallory-1, which the ledger does not know" in kept.drift


def test_another_hand_is_left_with_the_reason_when_nothing_better_is_known(kept: Kept) -> None:
    kept.world.claims()
    kept.target.is_served_by("mallory-1", "elsewhere.example/evil@sha256:" + "e" * 64)

    kept.passes()
    kept.passes()

    assert kept.serving == {"mallory-1": 100}
    assert "left as it is" in kept.drift
    assert {kind for kind, _ in kept.troubles} == {TroubleKind.TARGET, TroubleKind.CHAMPION_LOST}
    assert kept.world.ledger.champions.champion(PIPELINE).run_id is None
    assert [event.kind.value for event in kept.announced.events] == ["drifted"]


def test_a_lost_plan_is_found_again_by_what_serves(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.world.ledger.targets.forget(TARGET, PIPELINE)

    context = kept.passes()

    state = kept.world.ledger.targets.of(TARGET, PIPELINE)
    assert state.desired is not None
    [release] = state.desired.releases
    assert (release.run_id, release.image, release.weight) == (OLD, image_of(OLD), 100)
    assert (release.model, release.version, state.desired_by) == ("m", "1", "reconciler")
    assert (kept.drift, len(kept.target.plans)) == ("", 1)
    assert context.done["plans found again"] == 1


def test_a_lost_champion_is_found_again_by_what_serves_and_its_record(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.promoted(NEW)
    champions = kept.world.ledger._tables.tables["champions"]  # type: ignore[attr-defined]
    champions._rows.clear()

    kept.passes()

    champion = kept.world.ledger.champions.champion(PIPELINE)
    assert (champion.run_id, champion.image, champion.version) == (NEW, image_of(NEW), "1")
    assert kept.troubles == []


def test_a_first_model_that_its_run_still_watches_is_no_lost_champion(kept: Kept) -> None:
    kept.world.claims(run_id=NEW, fingerprint="b" * 64, requested_by=NEW)
    kept.world.ledger.targets.desire(plan(NEW), by=NEW, at=kept.world.now)
    kept.target.apply(plan(NEW))

    kept.passes()

    assert (kept.serving, kept.troubles) == ({NEW: 100}, [])


def test_champion_plan_and_containers_lost_together_come_back_by_the_records(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.world.ledger.targets.forget(TARGET, PIPELINE)
    kept.target.releases = ()

    kept.passes()

    assert kept.serving == {OLD: 100}
    assert "had lost what should run there" in kept.drift


def test_what_an_unfinished_run_wants_is_left_to_it(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.world.claims(run_id=NEW, fingerprint="b" * 64, requested_by=NEW)
    canary = replace(
        plan(OLD, NEW), releases=(replace(plan(OLD).releases[0], weight=95), replace(plan(NEW).releases[0], weight=5))
    )
    kept.world.ledger.targets.desire(canary, by=NEW, at=kept.world.now)
    kept.target.loses_its_containers()

    kept.passes()

    assert (kept.serving, kept.drift) == ({}, "")


def test_while_another_run_waits_to_deliver_a_lost_release_is_put_back_all_the_same(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.world.claims(run_id=NEW, fingerprint="b" * 64, requested_by=NEW)
    lease = Lease(run_id=NEW, pipeline=PIPELINE, granted_at=kept.world.now, expected_seconds=60)
    kept.world.ledger.computes.change(delivery_of(PIPELINE), lambda _: (QueueState(holders=(lease,)), None))
    kept.target.loses_its_containers()

    kept.passes()

    assert kept.serving == {OLD: 100}


def test_while_another_run_delivers_only_what_was_wanted_before_is_done(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.world.ledger.targets.forget(TARGET, PIPELINE)
    kept.world.claims(run_id=NEW, fingerprint="b" * 64, requested_by=NEW)
    lease = Lease(run_id=NEW, pipeline=PIPELINE, granted_at=kept.world.now, expected_seconds=60)
    kept.world.ledger.computes.change(delivery_of(PIPELINE), lambda _: (QueueState(holders=(lease,)), None))

    kept.passes()

    assert kept.world.ledger.targets.of(TARGET, PIPELINE).desired is None


def test_a_plan_that_somebody_wants_meanwhile_is_not_undone(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.target.loses_its_containers()
    seen, ledger = kept.target.observe, kept.world.ledger

    def observe_late(pipeline: str):  # type: ignore[no-untyped-def]
        serving = seen(pipeline)
        kept.target.revision += 1  # a plan was applied after this look
        kept.target.is_served_by(NEW, image_of(NEW))
        return serving

    kept.target.observe = observe_late  # type: ignore[method-assign]
    kept.passes()

    assert kept.serving == {NEW: 100}
    assert ledger.targets.of(TARGET, PIPELINE).desired == plan(OLD)


def test_an_image_that_is_refused_is_said(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.target.loses_its_containers()

    def refuse(plan: ServingPlan) -> None:
        raise PermanentError("the image is signed by nobody", code=Code.SIGNATURE_REFUSED)

    kept.target.apply = refuse  # type: ignore[method-assign]
    kept.passes()

    assert "but that failed: the image is signed by nobody" in kept.drift


def test_one_look_on_demand_does_what_a_cycle_does(kept: Kept) -> None:
    kept.promoted(OLD)
    kept.target.loses_its_containers()

    state = look_at(kept.world.services, TARGET, PIPELINE, kept.world.now)

    assert kept.serving == {OLD: 100}
    assert "is gone" in state.drift


def test_a_broken_target_does_not_keep_the_others(kept: Kept, world: WatchedWorld) -> None:
    world.has_pipeline(PIPELINE, deliver={"model": "m", "targets": [{"name": TARGET}, {"name": "second"}]})
    second = KeptTarget("second", PIPELINE)
    world.services.__dict__["targets"] = KeptTargets({TARGET: kept.target, "second": second})
    kept.promoted(OLD)
    kept.target.broken = TransientError("no answer")

    kept.passes()

    assert second.looks == 1
    assert kept.drift.startswith(NOT_REACHED)


def test_a_retired_pipeline_serves_nothing_whoever_starts_it_again(kept: Kept) -> None:
    kept.promoted(OLD)
    by = Actor(kind=ActorKind.PERSON, name="ada")
    kept.world.ledger.actions.retire(Retirement(pipeline=PIPELINE, by=by, reason="over", at=kept.world.now))

    kept.passes()

    assert kept.serving == {}
    assert "still runs there" in kept.drift


def test_what_an_action_under_way_wants_is_left_to_it(kept: Kept) -> None:
    kept.promoted(OLD)
    action = Action(
        action_id="roll-back-1",
        kind=ActionKind.ROLL_BACK,
        pipeline=PIPELINE,
        by=Actor(kind=ActorKind.PERSON, name="ada"),
        reason="it is worse",
        asked_at=kept.world.now,
        target=TARGET,
        to=OLD,
    )
    kept.world.ledger.actions.begin(action)
    kept.world.ledger.targets.desire(plan(OLD), by=action.action_id, at=kept.world.now)
    kept.target.loses_its_containers()

    kept.passes()

    assert kept.serving == {}
