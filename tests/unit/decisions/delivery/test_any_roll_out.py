"""Whatever happens: a roll-out ends, traffic is planned on one stable release and one candidate, failures go back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decisions.delivery.roll_out_events import (
    Announced,
    AnnounceWish,
    Applied,
    Apply,
    Began,
    Decided,
    Event,
    Failed,
    Finish,
    Look,
    Looked,
    ReadDecision,
)
from shared.decisions.delivery.roll_out_steps import advance
from shared.errors import Code
from shared.messages import (
    Approval,
    ApprovalRule,
    ObservedRelease,
    Otherwise,
    ReleaseState,
    Rollout,
    RolloutState,
    Serving,
    ServingPlan,
    Strategy,
    TargetResult,
    WithoutTraffic,
)
from tests.support.scripted_target import Behaviour, ScriptedTarget, Trouble, rolled_out
from tests.support.workflow import START
from tests.unit.decisions.delivery.test_roll_out_steps import IMAGE, NEW, OLD, OLD_IMAGE, a_rollout

strategies = st.builds(
    Strategy,
    steps=st.sampled_from([(), (10,), (5, 25, 50)]),
    soak_seconds=st.sampled_from([1.0, 60.0, 3_600.0]),
    least_requests=st.sampled_from([1, 200]),
    without_traffic=st.sampled_from(WithoutTraffic),
    watch_seconds=st.sampled_from([0.0, 5.0, 600.0]),
)
rollouts = st.builds(
    lambda strategy, approval, champion: a_rollout(strategy=strategy, approval=approval, champion=champion),
    strategies,
    st.none()
    | st.builds(ApprovalRule, seconds=st.sampled_from([60.0, 90_000.0]), otherwise=st.sampled_from(Otherwise)),
    st.sampled_from([None, OLD, "other"]),
)
releases = st.builds(
    ObservedRelease,
    run_id=st.sampled_from([OLD, NEW, "other"]),
    image=st.sampled_from([IMAGE, OLD_IMAGE]),
    state=st.sampled_from(ReleaseState),
    weight=st.sampled_from([0, 5, 50, 100]),
    requests=st.integers(0, 1_000),
    errors=st.integers(0, 1_000),
    latency_ms=st.none() | st.floats(0, 1e4),
    final=st.booleans(),
)
servings = st.builds(
    lambda seen, revision: Serving(
        target="hub-vm", pipeline="breast-cancer", releases=tuple(seen), revision=str(revision)
    ),
    st.lists(releases, max_size=3, unique_by=lambda release: release.run_id),
    st.integers(0, 5),
)
answers = (
    st.builds(Looked, servings)
    | st.builds(Applied)
    | st.builds(
        lambda code: Failed("it failed", code=code),
        st.sampled_from([None, None, None, Code.STALE_PLAN, Code.SIGNATURE_REFUSED, Code.BAD_CONFIGURATION]),
    )
)


class Played:
    """A roll-out whose target answers whatever the test draws."""

    def __init__(self, rollout: Rollout, state: RolloutState, told: list[Event], delays: list[float]) -> None:
        self.rollout, self.state, self.now = rollout, state, START
        self.plans: list[ServingPlan] = []
        self.told, self.delays = told, delays
        self.result = self._play()

    def _play(self) -> TargetResult:
        event: Event = Began()
        for number in range(30_000):
            self.state, action = advance(self.rollout, self.state, event, self.now)
            if isinstance(action, Finish):
                return action.result
            event = self._answer(action, number)
        raise AssertionError(f"it does not end: {self.state}")

    def _answer(self, action: Any, number: int) -> Event:
        self.now += timedelta(seconds=self.delays[number % len(self.delays)])
        drawn = self.told[number % len(self.told)]
        if isinstance(action, ReadDecision):
            self.now = max(self.now, action.at or self.now)
            approved = None if number % 3 else number % 2 == 0
            return Decided(Approval(run_id=NEW, target="hub-vm", approved=approved, by="ada"))
        if isinstance(action, AnnounceWish):
            return Announced()
        if isinstance(action, Look):
            self.now += timedelta(seconds=action.after)
            return drawn if isinstance(drawn, Looked | Failed) else Failed("no answer")
        assert isinstance(action, Apply)
        self.plans.append(action.plan)
        return drawn if isinstance(drawn, Applied | Failed) else Applied()


@given(rollouts, st.lists(answers, min_size=1, max_size=12), st.lists(st.sampled_from([0.1, 1, 30, 700]), min_size=1))
def test_it_ends_and_its_plans_are_sane(rollout: Rollout, told: list[Event], delays: list[float]) -> None:
    played = Played(rollout, RolloutState(), told, delays)

    before = played.state.before
    stable = {release.run_id for release in before.releases} if before else set()
    for plan in played.plans:
        weights = {release.run_id: release.weight for release in plan.releases}
        assert set(weights) <= {*stable, NEW}, "one stable release and one candidate at most"
        assert sum(weights.values()) == 100 or not stable
    result = played.result
    if not result.deployed and result.touched and not (played.state.was_live and not stable):
        assert before is not None
        assert replace(played.plans[-1], based_on="") == replace(before, based_on=""), "a failure ends with what was"
    if not result.touched:
        assert played.plans == []
    if result.deployed:
        assert {release.run_id: release.weight for release in played.plans[-1].releases}[NEW] == 100


behaviours = st.builds(
    Behaviour,
    starts=st.sampled_from([0.0, 2.0, 20.0, 100.0]),
    dies_after=st.sampled_from([None, None, 5.0, 30.0, 100.0]),
    trouble=st.sampled_from(["", "", "it hangs"]),
    final=st.booleans(),
    errors=st.sampled_from([0.0, 0.0, 0.02, 0.3, 1.0]),
    latency_ms=st.sampled_from([5.0, 1_000.0]),
)


@settings(max_examples=150)
@given(
    rollouts,
    behaviours,
    st.dictionaries(st.integers(0, 60), st.sampled_from([trouble for trouble in Trouble if trouble != "refused"])),
    st.sets(st.integers(0, 60), max_size=2),
    st.booleans(),
)
def test_a_target_that_answers_in_the_end_serves_one_of_the_two(
    rollout: Rollout, new: Behaviour, troubles: dict[int, Trouble], reboots: set[int], lags: bool
) -> None:
    target = ScriptedTarget(behaviours={NEW: new}, lag=3.0 if lags else 0.0)
    target.serve(OLD, OLD_IMAGE)
    calls: list[None] = []

    def meanwhile(_: RolloutState, there: ScriptedTarget) -> None:
        calls.append(None)
        if len(calls) in reboots:
            there.reboot(15)

    story = rolled_out(rollout, target, troubles=lambda number, _: troubles.get(number), meanwhile=meanwhile)

    result = story.result
    if result.deployed:
        assert target.serves == {NEW: 100}
    elif result.restored or not result.touched:
        assert target.serves == {OLD: 100}
        assert target.there == {OLD}
    else:
        assert sum(trouble is Trouble.HANG for trouble in troubles.values()) + len(reboots) > 0
    if not reboots and new.dies_after is None:
        assert target.bare == [], "a client was always answered by something healthy"
