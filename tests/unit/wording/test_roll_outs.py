"""What a run's record says of its targets, in words fit for people."""

from dataclasses import replace

from shared.decisions.delivery.roll_out_ends import left
from shared.decisions.delivery.together import not_begun, outcome_of, went_back
from shared.messages import (
    Approval,
    ApprovalRule,
    GoalEnd,
    Rollout,
    RolloutPhase,
    RolloutState,
    Strategy,
    TargetPlan,
    TargetResult,
    WithoutTraffic,
)
from tests.support.golden import compare
from tests.support.scripted_target import Behaviour, ScriptedTarget, Trouble, rolled_out
from tests.support.workflow import START
from tests.unit.decisions.delivery.test_roll_out_steps import CANARY, NEW, OLD, OLD_IMAGE, a_rollout

NO = Approval(run_id=NEW, target="hub-vm", approved=False, by="ada, signed in", reason="not before Monday", at=START)
RULE = ApprovalRule(seconds=7200)


def said(rollout: Rollout, new: Behaviour, *, asks: float = 20.0, decisions: tuple[Approval, ...] = ()) -> str:
    """The reason of a roll-out that does not succeed."""
    target = ScriptedTarget(behaviours={NEW: new}, requests_per_second=asks)
    target.serve(OLD, OLD_IMAGE)
    result = rolled_out(rollout, target, decisions=decisions).result
    assert not result.deployed
    return result.reason


def test_why_a_target_does_not_serve_the_new_model() -> None:
    patient = replace(CANARY, without_traffic=WithoutTraffic.BACK, least_requests=200)
    away = rolled_out(a_rollout(), ScriptedTarget(), troubles=lambda *_: Trouble.ERROR).result.reason
    lost = left(a_rollout(), RolloutState(phase=RolloutPhase.RETURNING, reason="it hangs"), None, "no route to host")
    cases = {
        "rejected": said(a_rollout(approval=RULE), Behaviour(), decisions=(NO,)),
        "rejected without a word": said(a_rollout(approval=RULE), Behaviour(), decisions=(replace(NO, reason=""),)),
        "nobody decided": said(a_rollout(approval=RULE), Behaviour()),
        "the target is away": away,
        "still starting": said(a_rollout(), Behaviour(starts=1e6)),
        "more errors": said(a_rollout(strategy=CANARY), Behaviour(errors=0.3)),
        "most answers fail": said(a_rollout(strategy=replace(CANARY, steps=(50,))), Behaviour(errors=0.9)),
        "much slower": said(a_rollout(strategy=CANARY), Behaviour(latency_ms=900)),
        "too few requests": said(a_rollout(strategy=patient), Behaviour(), asks=0.5),
        "fails after the switch": said(a_rollout(strategy=Strategy(watch_seconds=60)), Behaviour(errors=0.9)),
        "not seen to go back": lost[1].result.reason,  # type: ignore[union-attr]
    }
    compare("roll_outs", "Why a target does not serve a new model.", cases | _together())


def _together() -> dict[str, str]:
    good = TargetResult(target="cloud", deployed=True, before=OLD)
    bad = TargetResult(target="hub-vm", deployed=False, reason="it hangs")
    results = [good, bad]
    return {
        "left alone": not_begun(TargetPlan(name="line-3", health_seconds=1), results).reason,
        "taken back": went_back(good, GoalEnd(target="cloud", reached=True), results).reason,
        "not seen to be taken back": went_back(
            good, GoalEnd(target="cloud", reached=False, trouble="no route"), results
        ).reason,
        "one of two, as the end of the run's reason": outcome_of(results)[1],
    }
