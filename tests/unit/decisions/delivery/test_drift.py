"""A target that does not run what it should comes back to it, whatever was lost, and nothing else is ever done."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.delivery.drift import Care, Claim, Step, View, care_for, claim_of, lost_champion
from shared.messages import (
    Champion,
    ObservedRelease,
    Outcome,
    PlannedRelease,
    ReleaseState,
    RunRecord,
    Serving,
    ServingPlan,
    ServingResources,
    TargetResult,
    TargetState,
    first_record,
)
from tests.support.builders import a_run_request
from tests.support.workflow import START

TARGET, PIPELINE = "hub-vm", "breast-cancer"
RUNS = ["r-1", "r-2", "r-3", "stranger"]


def image_of(run_id: str, variant: str = "") -> str:
    return f"registry.example/models/{PIPELINE}@sha256:{(run_id.encode().hex() + variant).ljust(64, '0')}"


def release(run_id: str, weight: int = 100, **changes: object) -> ObservedRelease:
    seen = ObservedRelease(run_id=run_id, image=image_of(run_id), state=ReleaseState.HEALTHY, weight=weight)
    return replace(seen, **changes)  # type: ignore[arg-type]


def planned(run_id: str, weight: int = 100) -> PlannedRelease:
    return PlannedRelease(run_id=run_id, image=image_of(run_id), weight=weight)


def plan(*releases: PlannedRelease) -> ServingPlan:
    return ServingPlan(target=TARGET, pipeline=PIPELINE, releases=releases)


def view(
    desired: ServingPlan | None, seen: Sequence[ObservedRelease] = (), *, champion: str | None = None, **more: object
) -> View:
    claims = {run_id: Claim(image=image_of(run_id), released=True, finished=True) for run_id in ("r-1", "r-2")}
    claims["r-3"] = Claim(image=image_of("r-3"), released=False, finished=True)
    given = View(
        state=TargetState(target=TARGET, pipeline=PIPELINE, desired=desired),
        serving=Serving(target=TARGET, pipeline=PIPELINE, releases=tuple(seen), revision="7"),
        champion=Champion(pipeline=PIPELINE, run_id=champion),
        claims=claims,
    )
    return replace(given, **more)  # type: ignore[arg-type]


def releases_of(care: Care) -> dict[str, int]:
    assert care.plan is not None
    return {each.run_id: each.weight for each in care.plan.releases}


class TestAsItShouldBe:
    def test_a_target_that_runs_its_plan_is_left_alone(self) -> None:
        care = care_for(view(plan(planned("r-1")), [release("r-1")], champion="r-1"))

        assert (care.step, care.drift) == (Step.LEAVE, "")

    def test_the_release_before_may_stay_without_traffic(self) -> None:
        wanted = plan(planned("r-2"), planned("r-1", 0))
        care = care_for(view(wanted, [release("r-2"), release("r-1", 0)], champion="r-2"))

        assert (care.step, care.drift) == (Step.LEAVE, "")

    def test_nothing_is_wanted_and_nothing_is_there(self) -> None:
        assert care_for(view(None)) == Care(step=Step.LEAVE)

    def test_a_proxy_rounds(self) -> None:
        assert care_for(view(plan(planned("r-1")), [release("r-1", 99)], champion="r-1")).step is Step.LEAVE


class TestLost:
    @pytest.mark.parametrize(
        ("seen", "words"),
        [
            ([], "the release of run r-1 is gone"),
            ([release("r-1", 0, state=ReleaseState.GONE)], "the release of run r-1 is gone"),
            ([release("r-1", state=ReleaseState.UNHEALTHY, trouble="no port")], "is unhealthy (no port)"),
            ([release("r-1", 40)], "gets 40 % of the traffic instead of 100 %"),
            ([release("r-1", image=image_of("r-1", "ff"))], "instead of models/breast-cancer@"),
        ],
    )
    def test_a_live_release_is_put_back(self, seen: list[ObservedRelease], words: str) -> None:
        care = care_for(view(plan(planned("r-1")), seen, champion="r-1"))

        assert (care.step, releases_of(care)) == (Step.APPLY, {"r-1": 100})
        assert care.plan is not None
        assert care.plan.based_on == "7"
        assert words in care.drift
        assert "its plan is applied again" in care.drift

    def test_one_that_starts_is_waited_for(self) -> None:
        care = care_for(view(plan(planned("r-1")), [release("r-1", 0, state=ReleaseState.STARTING)], champion="r-1"))

        assert (care.step, care.plan) == (Step.WAIT, None)
        assert "starting" in care.drift

    def test_one_that_will_not_become_healthy_says_what_people_can_do(self) -> None:
        ill = release("r-1", 0, state=ReleaseState.UNHEALTHY, trouble="out of memory", final=True)
        care = care_for(view(plan(planned("r-1")), [ill], champion="r-1"))

        assert care.step is Step.APPLY
        assert "out of memory" in care.drift
        assert "roll back to another one" in care.drift


class TestAnotherHand:
    def test_what_the_ledger_does_not_know_is_named_and_replaced_by_the_plan(self) -> None:
        care = care_for(view(plan(planned("r-1")), [release("stranger")], champion="r-1"))

        assert (care.step, releases_of(care)) == (Step.APPLY, {"r-1": 100})
        assert "of run stranger, which the ledger does not know, runs there and gets 100 %" in care.drift

    def test_another_image_under_a_known_run_is_none_of_ours(self) -> None:
        care = care_for(view(None, [release("r-1", image=image_of("r-1", "ee"))]))

        assert (care.step, care.plan) == (Step.LEAVE, None)
        assert "left as it is" in care.drift

    def test_with_nothing_better_known_it_is_left_with_the_reason(self) -> None:
        care = care_for(view(None, [release("stranger")]))

        assert (care.step, care.plan) == (Step.LEAVE, None)
        assert "run stranger serves there" in care.drift
        assert "find out who put it there" in care.drift

    def test_a_release_switched_by_hand_goes_back_to_the_plan(self) -> None:
        care = care_for(view(plan(planned("r-2"), planned("r-1", 0)), [release("r-1"), release("r-2", 0)]))

        assert releases_of(care) == {"r-2": 100, "r-1": 0}
        assert care.step is Step.APPLY


class TestLostPlan:
    def test_what_serves_and_was_released_there_becomes_the_plan_again(self) -> None:
        care = care_for(view(None, [release("r-1")]))

        assert (care.step, releases_of(care), care.drift) == (Step.ADOPT, {"r-1": 100}, "")

    def test_when_nothing_serves_the_champion_does_again(self) -> None:
        care = care_for(view(None, champion="r-2"))

        assert (care.step, releases_of(care)) == (Step.APPLY, {"r-2": 100})
        assert "had lost what should run there" in care.drift

    def test_a_champion_that_never_passed_its_roll_out_there_is_not_brought_there(self) -> None:
        assert care_for(view(None, champion="r-3")) == Care(step=Step.LEAVE)


class TestLeftHalfway:
    def test_a_canary_whose_run_is_over_ends_with_the_champion(self) -> None:
        care = care_for(
            view(plan(planned("r-1", 75), planned("r-3", 25)), [release("r-1", 75), release("r-3", 25)], champion="r-1")
        )

        assert (care.step, releases_of(care)) == (Step.APPLY, {"r-1": 100})
        assert "left halfway" in care.drift

    def test_a_release_that_did_not_pass_gives_way_to_the_champion(self) -> None:
        care = care_for(view(plan(planned("r-3")), [release("r-3")], champion="r-1"))

        assert (care.step, releases_of(care)) == (Step.APPLY, {"r-1": 100})
        assert "run r-3 did not pass its roll-out" in care.drift

    def test_a_first_candidate_whose_run_is_over_goes(self) -> None:
        care = care_for(view(plan(planned("r-3", 0)), [release("r-3", 0)]))

        assert (care.step, releases_of(care)) == (Step.APPLY, {})

    def test_without_a_champion_it_keeps_serving(self) -> None:
        assert care_for(view(plan(planned("r-3")), [release("r-3")])).step is Step.LEAVE


def test_a_retired_pipeline_serves_nothing() -> None:
    care = care_for(view(plan(planned("r-1")), [release("r-1")], champion="r-1", retired=True))

    assert (care.step, releases_of(care)) == (Step.APPLY, {})
    assert "the release of run r-1 still runs there and gets 100 %" in care.drift


def test_where_somebody_acts_nothing_is_done() -> None:
    known = view(plan(planned("r-1")), [], champion="r-1", busy="run r-2 is rolled out")

    assert care_for(known) == Care(step=Step.LEAVE, drift=known.state.drift)


@st.composite
def servings(draw: st.DrawFn) -> tuple[ObservedRelease, ...]:
    runs = draw(st.lists(st.sampled_from(RUNS), unique=True, max_size=3))
    return tuple(
        release(
            run_id,
            draw(st.sampled_from([0, 1, 25, 50, 75, 100])),
            image=image_of(run_id, draw(st.sampled_from(["", "", "", "dd"]))),
            state=draw(st.sampled_from(list(ReleaseState))),
            final=draw(st.booleans()),
        )
        for run_id in runs
    )


@st.composite
def plans(draw: st.DrawFn) -> ServingPlan | None:
    runs = draw(st.lists(st.sampled_from(RUNS[:3]), unique=True, max_size=2))
    both: list[tuple[int, ...]] = [(0, 0), (100, 0), (0, 100), (75, 25)]
    weights = draw(st.sampled_from(both if len(runs) == 2 else [(0,), (100,)]))
    wanted = plan(*(planned(run_id, weight) for run_id, weight in zip(runs, weights, strict=False)))
    return draw(st.sampled_from([None, wanted, wanted]))


@st.composite
def views(draw: st.DrawFn) -> View:
    champion = draw(st.sampled_from([None, *RUNS]))
    known = view(draw(plans()), draw(servings()), champion=champion, retired=draw(st.booleans()))
    claims = {
        run_id: Claim(image=image_of(run_id), released=draw(st.booleans()), finished=draw(st.booleans()))
        for run_id in draw(st.sets(st.sampled_from(RUNS[:3])))
    }
    return replace(known, claims=claims)


@given(views())
def test_only_what_the_ledger_has_is_ever_brought_to_a_target(known: View) -> None:
    care = care_for(known)
    if care.plan is None:
        return
    desired = {each.run_id: each.image for each in known.state.desired.releases} if known.state.desired else {}
    for each in care.plan.releases:
        claim = known.claims.get(each.run_id)
        assert desired.get(each.run_id) == each.image or (claim is not None and claim.released)
    assert care.plan.based_on == known.serving.revision


@given(views())
def test_a_target_that_takes_the_plans_ends_without_drift_and_is_left_alone(known: View) -> None:
    for _ in range(4):
        care = care_for(known)
        state = known.state
        if care.step is Step.WAIT:
            state = replace(state, drift=care.drift)
            ready = tuple(
                replace(each, state=ReleaseState.HEALTHY, weight=_wanted_weight(known, each))
                for each in known.serving.releases
            )
            known = replace(known, state=state, serving=replace(known.serving, releases=ready))
            continue
        if care.plan is not None:
            state = replace(state, desired=care.plan, drift=care.drift)
        if care.step is Step.APPLY:
            assert care.plan is not None
            now = tuple(release(each.run_id, each.weight, image=each.image) for each in care.plan.releases)
            known = replace(known, serving=replace(known.serving, releases=now))
        known = replace(known, state=state)

    care = care_for(known)
    assert care.step is Step.LEAVE
    if care.drift:  # named, and left with the reason
        assert known.state.desired is None
        assert "left as it is" in care.drift
    else:
        assert (
            known.state.desired is None
            or known.retired
            or known.serving.live
            or not known.state.desired.releases
            or (not any(each.weight for each in known.state.desired.releases))
        )


def _wanted_weight(known: View, each: ObservedRelease) -> int:
    wanted = known.state.desired.release(each.run_id) if known.state.desired else None
    return wanted.weight if wanted else each.weight


def record(run_id: str, outcome: Outcome | None, *targets: str, hours: int = 0) -> RunRecord:
    return replace(
        first_record(a_run_request(run_id=run_id)),
        outcome=outcome,
        image=image_of(run_id),
        model="m",
        version="3",
        metrics={"accuracy": 0.97},
        ended_at=START + timedelta(hours=hours),
        targets=tuple(TargetResult(target=target, deployed=True) for target in targets),
    )


class TestLostChampion:
    def test_it_is_the_run_that_was_promoted_last_of_those_that_serve(self) -> None:
        served = {
            "hub-vm": record("r-1", Outcome.PROMOTED, "hub-vm", hours=1),
            "cloud": record("r-2", Outcome.PROMOTED, "cloud", hours=2),
            "third": record("r-3", Outcome.ROLLED_BACK, "third", hours=3),
        }

        found = lost_champion(PIPELINE, served)

        assert found is not None
        assert (found.run_id, found.version, found.metrics) == ("r-2", "3", {"accuracy": 0.97})

    def test_a_run_that_did_not_pass_is_never_made_champion(self) -> None:
        served = {
            "hub-vm": record("r-1", Outcome.PROMOTED, "another"),
            "cloud": record("r-2", None, "cloud"),
            "third": record("r-3", Outcome.FAILED, "third"),
        }

        assert lost_champion(PIPELINE, served) is None

    def test_a_claim_is_about_one_target(self) -> None:
        promoted = record("r-1", Outcome.PROMOTED, "hub-vm")

        assert claim_of(promoted, "hub-vm", ServingResources()).released
        assert not claim_of(promoted, "cloud", ServingResources()).released
