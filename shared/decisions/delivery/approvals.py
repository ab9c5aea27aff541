"""Waiting for somebody's decision on a roll-out: until when, when to announce it again, and what counts then. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.decisions.delivery.approval_sentences import superseded_while_waiting
from shared.decisions.delivery.roll_out_ends import ended, seconds_since
from shared.decisions.delivery.roll_out_events import Action, AnnounceWish, Decided, Failed, Look, ReadDecision
from shared.messages import Approval, ApprovalRule, Otherwise, Rollout, RolloutPhase, RolloutState

LOOK_AGAIN = timedelta(minutes=5)
"""After which a decision is found without a hint: because that was lost, or because a newer run has decided."""
UNREAD_SECONDS = 3600.0
"""How long the ledger may be away."""
TOO_LATE = "nobody decided in time"
_READ_AGAIN = timedelta(minutes=1)

Step = tuple[RolloutState, Action]


def begun(state: RolloutState, now: datetime) -> Step:
    """Begin to wait, unless somebody has decided already."""
    return replace(state, phase=RolloutPhase.APPROVAL, since=now), ReadDecision()


def otherwise_at(rollout: Rollout, state: RolloutState, now: datetime) -> bool | None:
    """What counts when nobody has decided; None while somebody may."""
    rule = rollout.approval or ApprovalRule()
    return rule.otherwise is Otherwise.APPROVE if now >= _deadline(state, rule) else None


def after_reading(rollout: Rollout, state: RolloutState, decided: Decided, now: datetime) -> Step:
    """What a decision, or that there is none yet, leads to."""
    rule, approval = rollout.approval or ApprovalRule(), decided.approval
    state = replace(state, unreached_since=None)
    otherwise = otherwise_at(rollout, state, now)
    if approval.approved is None and otherwise is not None:
        if not decided.final:
            return state, ReadDecision()  # the time was over while it was read
        approval = replace(approval, approved=otherwise, reason=TOO_LATE)
    if approval.approved is None:
        return _wait(state, rule, now)
    state = replace(state, approval=approval)
    if approval.approved:
        return replace(state, phase=RolloutPhase.LOOKING, since=now, looks=0), Look(0)
    return ended(rollout, replace(state, reason=_rejected(approval, rule)))


def after_announcing(rollout: Rollout, state: RolloutState, now: datetime) -> Step:
    """Wait on."""
    return state, ReadDecision(_next(state, rollout.approval or ApprovalRule(), now))


def after_failing(rollout: Rollout, state: RolloutState, failed: Failed, now: datetime) -> Step:
    """The decision could not be read."""
    state = replace(state, unreached_since=state.unreached_since or now)
    if failed.code is not None or seconds_since(state.unreached_since, now) > UNREAD_SECONDS:
        return ended(rollout, replace(state, reason=failed.reason, failure_kind=failed.kind))
    return state, ReadDecision(now + _READ_AGAIN)


def deadline_of(rollout: Rollout, state: RolloutState, now: datetime) -> datetime:
    """Until when somebody may decide."""
    return _deadline(replace(state, since=state.since or now), rollout.approval or ApprovalRule())


def _wait(state: RolloutState, rule: ApprovalRule, now: datetime) -> Step:
    if now >= _announcement(state, rule):
        state = replace(state, announced=state.announced + 1)
        return state, AnnounceWish(state.announced)
    return state, ReadDecision(_next(state, rule, now))


def _next(state: RolloutState, rule: ApprovalRule, now: datetime) -> datetime:
    return max(now, min(_deadline(state, rule), _announcement(state, rule), now + LOOK_AGAIN))


def _deadline(state: RolloutState, rule: ApprovalRule) -> datetime:
    return _after(state, rule.seconds)


def _announcement(state: RolloutState, rule: ApprovalRule) -> datetime:
    return _after(state, state.announced * rule.remind_seconds)


def _after(state: RolloutState, seconds: float) -> datetime:
    if state.since is None:
        raise ValueError("the wait for a decision has not begun")
    return state.since + timedelta(seconds=seconds)


def _rejected(approval: Approval, rule: ApprovalRule) -> str:
    if approval.superseded_by:
        return superseded_while_waiting(approval)
    if not approval.by:
        return (
            f"nobody approved it within {rule.seconds / 3600:g} hours, so it was not rolled out; start a run with force"
        )
    why = f": {approval.reason}" if approval.reason else ""
    return f"{approval.by} rejected it{why}"
