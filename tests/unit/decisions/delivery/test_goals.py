"""What a target runs after a run has left it, over any plan and any observation."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.delivery.goals import difference, hopeless, is_fulfilled, pause_after, plan_to, plan_without
from shared.messages import Champion, ObservedRelease, PlannedRelease, ReleaseState, Serving, ServingPlan, TargetState

RUNS = ("a-1", "a-2", "a-3")
GONE: dict[str, Any] = {"target": "vm", "pipeline": "a"}


def image(run_id: str) -> str:
    return f"registry/models/a@sha256:{run_id}"


def planned(run_id: str, weight: int = 0) -> PlannedRelease:
    return PlannedRelease(run_id=run_id, image=image(run_id), weight=weight)


def observed(run_id: str, weight: int = 0, state: ReleaseState = ReleaseState.HEALTHY) -> ObservedRelease:
    return ObservedRelease(run_id=run_id, image=image(run_id), state=state, weight=weight)


@st.composite
def plans(draw: st.DrawFn) -> ServingPlan:
    runs = draw(st.lists(st.sampled_from(RUNS), unique=True, max_size=2))
    first = draw(st.integers(0, 100)) if len(runs) == 2 else 100
    weights = (first, 100 - first)
    return ServingPlan(releases=tuple(planned(run, weight) for run, weight in zip(runs, weights, strict=False)), **GONE)


@st.composite
def servings(draw: st.DrawFn) -> Serving:
    runs = draw(st.lists(st.sampled_from(RUNS), unique=True, max_size=3))
    releases = tuple(
        observed(run, draw(st.integers(0, 100)), draw(st.sampled_from(list(ReleaseState)))) for run in runs
    )
    return Serving(releases=releases, kept=tuple(draw(st.sets(st.sampled_from(RUNS)))), **GONE)


states = st.builds(lambda plan: TargetState(desired=plan, **GONE), st.none() | plans())
champions = st.builds(
    lambda run: Champion(pipeline="a", run_id=run, image=image(run) if run else None), st.none() | st.sampled_from(RUNS)
)


@given(known=states, serving=servings(), champion=champions, leaving=st.sampled_from(RUNS))
def test_a_run_that_leaves_is_in_no_plan_and_one_other_gets_everything(
    known: TargetState, serving: Serving, champion: Champion, leaving: str
) -> None:
    plan = plan_without(leaving, known, serving, champion)

    wanted = {release.run_id for release in known.desired.releases} if known.desired else set()
    there = {release.run_id for release in serving.releases if release.state is not ReleaseState.GONE}
    if plan is None:
        assert leaving not in wanted | there
        return
    assert plan.release(leaving) is None
    assert [release.weight for release in plan.releases] in ([], [100])
    if (wanted | there) - {leaving}:
        assert plan.releases, "what served beside it goes on"
    after = replace(known, desired=plan)
    settled = Serving(releases=tuple(observed(each.run_id, each.weight) for each in plan.releases), **GONE)
    assert is_fulfilled(plan, settled)
    assert plan_without(leaving, after, settled, champion) is None, "it leaves once"


@given(
    known=states,
    champion=champions,
    weights=st.lists(st.integers(0, 100), min_size=2, max_size=3),
    state=st.sampled_from(sorted(set(ReleaseState) - {ReleaseState.GONE})),
)
def test_what_gets_most_of_the_traffic_is_what_stays(
    known: TargetState, champion: Champion, weights: list[int], state: ReleaseState
) -> None:
    releases = [observed(run, weight, state) for run, weight in zip(RUNS, weights, strict=False)]
    leaving, *others = releases
    serving = Serving(releases=tuple(releases), **GONE)

    plan = plan_without(leaving.run_id, known, serving, champion)

    assert plan is not None
    most = max(each.weight for each in others)
    stays = serving.release(plan.releases[0].run_id)
    assert most == 0 or (stays is not None and stays.weight == most)


@given(plan=plans(), serving=servings())
def test_a_plan_is_fulfilled_exactly_when_nothing_differs(plan: ServingPlan, serving: Serving) -> None:
    assert is_fulfilled(plan, serving) == (difference(plan, serving) == "runs what it should")


@given(plan=plans(), serving=servings())
def test_only_what_should_serve_and_is_ill_for_good_is_hopeless(plan: ServingPlan, serving: Serving) -> None:
    assert not hopeless(plan, serving)
    ill = replace(serving, releases=tuple(replace(each, final=True, trouble="no port") for each in serving.releases))

    found = hopeless(plan, ill)

    serves = {each.run_id for each in plan.releases if each.weight}
    assert bool(found) == bool(serves & {each.run_id for each in serving.releases})
    assert not found or "no port" in found


def test_a_target_that_ran_nothing_before_runs_nothing_after() -> None:
    known = TargetState(desired=ServingPlan(releases=(planned("a-2", 100),), **GONE), **GONE)
    serving = Serving(releases=(observed("a-2", 100),), **GONE)

    plan = plan_without("a-2", known, serving, Champion(pipeline="a", run_id="a-1", image=image("a-1")))

    assert plan == ServingPlan(**GONE)


def test_the_champion_comes_back_where_its_image_is_kept() -> None:
    known = TargetState(desired=ServingPlan(releases=(planned("a-2", 100),), **GONE), **GONE)
    serving = Serving(releases=(observed("a-2", 100),), kept=("a-1", "a-2"), **GONE)

    plan = plan_without("a-2", known, serving, Champion(pipeline="a", run_id="a-1", image=image("a-1")))

    assert plan is not None
    assert plan.releases == (planned("a-1", 100),)


def test_a_roll_back_keeps_the_bad_one_without_traffic() -> None:
    known = TargetState(**GONE)

    assert plan_to(planned("a-1"), planned("a-2", 100), known).releases == (planned("a-1", 100), planned("a-2", 0))
    assert plan_to(planned("a-1"), None, known).releases == (planned("a-1", 100),)


@given(st.integers(0, 1000))
def test_looks_become_rarer_and_never_stop(polls: int) -> None:
    assert 2 <= pause_after(polls).total_seconds() <= pause_after(polls + 1).total_seconds() <= 15
