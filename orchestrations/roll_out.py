"""Roll out to one target: give it plans, look, wait for decisions, until it serves the new model or what it did before.

What comes next is decided by ``shared.decisions.delivery.roll_out_steps``; here it is done. The state is the input, so
after :data:`ASKED_PER_EXECUTION` calls, or when a decision's hint came too early, it continues as new.
"""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from orchestrations import roll_out_before_plans
from orchestrations.failures import failure_of
from orchestrations.progress import announce, report
from shared.contracts import APPLY_PLAN, OBSERVE_TARGET, READ_APPROVAL
from shared.decisions.delivery.approvals import otherwise_at
from shared.decisions.delivery.roll_out_events import (
    Action,
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
from shared.decisions.delivery.roll_out_progress import progress_of
from shared.decisions.delivery.roll_out_steps import advance
from shared.errors import PermanentError
from shared.messages import (
    PLANNED_ROLLOUT,
    ApplyPlan,
    ApprovalQuery,
    ObserveTarget,
    Rollout,
    RunEventKind,
    Stage,
)
from shared.values.wire import from_wire, to_wire

DECIDED = "decided"
"""The external event that hints at a decision; the ledger's row is what counts."""
ASKED_PER_EXECUTION = 20
"""Calls, each of which adds to the history that every turn replays."""


def roll_out(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Output: a ``TargetResult``. Never raises for errors of outside services."""
    rollout = from_wire(Rollout, context.get_input())
    if rollout.schema < PLANNED_ROLLOUT:
        return (yield from roll_out_before_plans.roll_out(context, rollout))
    state, asked, waits = rollout.state, 0, _Waits(context)
    event: Event = Began()
    while True:
        state, action = advance(rollout, state, event, context.current_utc_datetime)
        if isinstance(action, Finish):
            return to_wire(action.result)
        if isinstance(action, Look | ReadDecision) and (asked >= ASKED_PER_EXECUTION or waits.are_over_for(action)):
            # The next execution looks, or reads, at once.
            context.continue_as_new(to_wire(replace(rollout, state=state)))
            return None
        report(context, Stage.ROLLING_OUT, **progress_of(rollout, state, action, context.current_utc_datetime))
        yield from waits.until(action)
        event = yield from _done(context, replace(rollout, state=state), action)
        asked += 1


class _Waits:
    """The waits of one execution. Only one of them for the external event: the SDK handles one open wait reliably."""

    def __init__(self, context: df.DurableOrchestrationContext) -> None:
        self.context = context
        self.hint: Any = None
        self.had_hint = False

    def are_over_for(self, action: Action) -> bool:
        """Whether the action has to wait for an event that this execution has had."""
        return self.had_hint and isinstance(action, ReadDecision) and action.at is not None

    def until(self, action: Action) -> Generator[Any, Any, None]:
        """Wait until it is time for the action."""
        if isinstance(action, Look) and action.after > 0:
            yield self.context.create_timer(self.context.current_utc_datetime + timedelta(seconds=action.after))
        if isinstance(action, ReadDecision) and action.at is not None:
            self.hint = self.hint or self.context.wait_for_external_event(DECIDED)
            timer = self.context.create_timer(action.at)
            first = yield self.context.task_any([self.hint, timer])
            if first is self.hint:
                timer.cancel()
                self.had_hint = True


def _done(context: df.DurableOrchestrationContext, rollout: Rollout, action: Action) -> Generator[Any, Any, Event]:
    """Do what was decided; returns what happened."""
    try:
        return (yield from _tried(context, rollout, action))
    except PermanentError as error:
        kind, reason = failure_of(error)
        return Failed(reason, kind, error.code)
    except Exception as error:  # noqa: BLE001 - retries ran out; the SDK knows no narrower type
        kind, reason = failure_of(error)
        return Failed(reason, kind)


def _tried(context: df.DurableOrchestrationContext, rollout: Rollout, action: Action) -> Generator[Any, Any, Event]:
    match action:
        case Apply(plan):
            command = ApplyPlan(plan=plan, by=rollout.run_id, before=rollout.state.before)
            yield from APPLY_PLAN.call(context, command)
            return Applied()
        case Look():
            query = ObserveTarget(target=rollout.target, pipeline=rollout.pipeline)
            return Looked((yield from OBSERVE_TARGET.call(context, query)))
        case ReadDecision():
            otherwise = otherwise_at(rollout, rollout.state, context.current_utc_datetime)
            asked = ApprovalQuery(run_id=rollout.run_id, target=rollout.target, otherwise=otherwise)
            return Decided((yield from READ_APPROVAL.call(context, asked)), final=otherwise is not None)
        case AnnounceWish(number):
            if rollout.record is not None:
                kind = RunEventKind.APPROVAL_WANTED
                yield from announce(context, kind, rollout.record, target=rollout.target, number=number)
            return Announced()
        case Finish():
            raise ValueError("a roll-out that has ended asks for nothing")
