"""What is said to operators about approvals, cancels, resumptions, roll-backs and retirements."""

from dataclasses import replace

from shared.decisions.delivery import action_sentences, approval_sentences, goals, hand_sentences, undoing
from shared.decisions.explanations.actors import actor_text
from shared.decisions.explanations.status_text import quarantine_status_text
from shared.messages import (
    Action,
    ActionKind,
    Actor,
    ActorKind,
    Approval,
    Cancellation,
    FailedAttempt,
    GoalEnd,
    ObservedRelease,
    Outcome,
    PlannedRelease,
    Quarantine,
    ReleaseState,
    Retirement,
    Serving,
    ServingPlan,
    Stage,
)
from tests.support.arrivals import a_run_record
from tests.support.golden import compare
from tests.support.workflow import START

ADA = Actor(kind=ActorKind.PERSON, name="ada@hospital.example")
KEY = Actor(kind=ActorKind.KEY, name="ops", said="ada")
BACK = Action(
    action_id="back-churn-1",
    kind=ActionKind.ROLL_BACK,
    pipeline="churn",
    by=KEY,
    reason="false alarms",
    asked_at=START,
    target="hub-vm",
    to="churn-1111-1",
    bad="churn-2222-1",
)
OVER = Action(
    action_id="retire-churn-1", kind=ActionKind.RETIRE, pipeline="churn", by=ADA, reason="replaced", asked_at=START
)
YES = Approval(run_id="churn-2222-1", target="hub-vm", approved=True, by="ada", reason="looks good", at=START)
NO = Approval(run_id="churn-2222-1", target="hub-vm", approved=False, by="ada", reason="false alarms", at=START)
RETIRED = Retirement(pipeline="churn", by=ADA, reason="replaced", at=START)
PLAN = ServingPlan(
    target="hub-vm", pipeline="churn", releases=(PlannedRelease(run_id="churn-1", image="r/m@sha256:1", weight=100),)
)


def seen(state: ReleaseState, run_id: str = "churn-1", trouble: str = "", *, final: bool = False) -> Serving:
    release = ObservedRelease(run_id=run_id, image="r/m@sha256:1", state=state, weight=0, trouble=trouble, final=final)
    return Serving(target="hub-vm", pipeline="churn", releases=(release,))


def test_who_asks() -> None:
    cases = {
        "a person": actor_text(ADA),
        "a key with a name": actor_text(KEY),
        "a key without a name": actor_text(Actor(kind=ActorKind.KEY, name="with digest 3fa2c1d0")),
        "no key": actor_text(Actor(kind=ActorKind.KEY, name="none")),
        "no key, with a name": actor_text(Actor(kind=ActorKind.KEY, name="none", said="ada")),
        "a message": actor_text(Actor(kind=ActorKind.MESSAGE, name="'m-1'", said="ada")),
        "the app": actor_text(Actor(kind=ActorKind.APP, name="")),
    }

    compare("hands_who", "Who did something, and how that is known.", cases)


def test_cancelling_and_resuming() -> None:
    run = "churn-2222-1"
    unreached = GoalEnd(target="hub-vm", reached=False, trouble="no route to host")
    cases = {
        "being cancelled": hand_sentences.being_cancelled(run),
        "nothing to cancel": hand_sentences.nothing_to_cancel(run),
        "a retry given up": hand_sentences.not_tried_again(run),
        "a run without a request": hand_sentences.has_no_request(run),
        "the run's reason": undoing.cancelled_text(Cancellation(by=KEY, reason="wrong data", at=START)),
        "what is left": undoing.left_text(
            [
                undoing.target_left(unreached),
                undoing.image_left("churn", run, "the registry answers 503"),
                undoing.training_left(run, "it has not ended yet"),
            ]
        ),
        "resumed": hand_sentences.resumed(run, "churn-2222-2", begun=True),
        "resumed before": hand_sentences.resumed(run, "churn-2222-2", begun=False),
        "resumed by another": hand_sentences.another_attempt(run, "churn-2222-2"),
        "never trained": hand_sentences.never_trained(run),
        "did not complete": hand_sentences.not_trained(run, "failed"),
        "retired": hand_sentences.is_retired(RETIRED),
    }

    compare("hands_cancel_and_resume", "About cancelling and resuming a run.", cases)


def test_approvals() -> None:
    cases = {
        "approved": approval_sentences.decided(YES, ["hub-vm", "cloud"], ["hub-vm", "cloud"]),
        "approved before": approval_sentences.decided(YES, [], ["hub-vm"]),
        "rejected": approval_sentences.decided(NO, ["hub-vm"], ["hub-vm"]),
        "approved by another": approval_sentences.decided_otherwise(YES),
        "rejected by another": approval_sentences.decided_otherwise(NO),
        "nobody decided in time": approval_sentences.decided_otherwise(
            replace(NO, by="", reason="nobody decided in time")
        ),
        "the run has ended": approval_sentences.has_ended(a_run_record(outcome=Outcome.NOT_PROMOTED)),
        "nobody is asked": approval_sentences.needs_none(YES.run_id, "churn"),
        "an unknown target": approval_sentences.no_such_target(YES, "cloud, hub-vm"),
        "too early": approval_sentences.not_there_yet(YES.run_id, Stage.TRAINING),
        "much too early": approval_sentences.not_there_yet(YES.run_id, None),
    }

    compare("hands_approvals", "About decisions on a roll-out.", cases)


def test_rolling_back_and_retiring() -> None:
    evidence = FailedAttempt(
        run_id=BACK.bad, reason=action_sentences.why_put_aside(BACK, actor_text(KEY)), ended_at=START
    )
    aside = Quarantine(
        pipeline="churn",
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        since=START,
        failures=(evidence,),
        rolled_back=True,
    )
    cases = {
        "a roll-back begins": action_sentences.begun(BACK),
        "a retirement begins": action_sentences.begun(OVER),
        "no turn": action_sentences.no_turn(BACK, "run churn-3333-1 delivers"),
        "a roll-back failed": action_sentences.failed(BACK, "the ledger's table did not answer"),
        "a retirement failed": action_sentences.failed(OVER, "the ledger's table did not answer"),
        "rolled back": action_sentences.rolled_back(BACK),
        "not rolled back": action_sentences.stayed(BACK, "it ran out of memory"),
        "nor brought back": action_sentences.not_back("hub-vm", "no route to host"),
        "retired": action_sentences.retired(OVER),
        "still serves": action_sentences.still_serves("hub-vm", "no route to host"),
        "given up": action_sentences.given_up(BACK),
        "terminated": action_sentences.terminated(OVER, "somebody said stop"),
        "nothing there": action_sentences.nothing_there("hub-vm", "churn"),
        "nothing before": action_sentences.nothing_before("hub-vm", "churn"),
        "serves already": action_sentences.serves_already("hub-vm", "churn-1"),
        "an unknown release": action_sentences.unknown_release("churn-9", "churn"),
        "a delivery under way": action_sentences.under_way("churn", "churn-3333-1"),
        "runs under way": action_sentences.runs_under_way("churn", ["a-1", "a-2", "a-3", "a-4"]),
        "not retired": action_sentences.not_retired("churn"),
        "being retired": action_sentences.being_retired("churn", "retire-churn-1"),
        "reinstated": action_sentences.reinstated(RETIRED),
        "why its data are not trained again": quarantine_status_text(aside),
    }

    compare("hands_roll_back_and_retire", "About roll-backs and retirements.", cases)


def test_what_a_target_lacks() -> None:
    cases = {
        "starting": goals.difference(PLAN, seen(ReleaseState.STARTING)),
        "unhealthy": goals.difference(PLAN, seen(ReleaseState.UNHEALTHY, trouble="no port 8400")),
        "gone": goals.difference(PLAN, Serving(target="hub-vm", pipeline="churn")),
        "another one": goals.difference(PLAN, seen(ReleaseState.HEALTHY, "churn-9")),
        "ill for good": goals.hopeless(PLAN, seen(ReleaseState.UNHEALTHY, trouble="no port 8400", final=True)),
    }

    compare("hands_targets", "What a target lacks to run its plan.", cases)
