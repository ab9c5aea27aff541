"""Roll-outs that began before there were plans: start a candidate, verify it, switch traffic to it.

Their histories replay; their activities refuse by now, so that one that was under way ends with what to do.
"""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrations.failures import AttributedError, failure_of
from orchestrations.progress import first_line, report
from shared.contracts import REMOVE_CANDIDATE, START_CANDIDATE, SWITCH_TRAFFIC, VERIFY_CANDIDATE
from shared.errors import PermanentError
from shared.messages import Candidate, CandidateStep, Release, Rollout, Stage, TargetResult
from shared.values.wire import to_wire


def roll_out(context: df.DurableOrchestrationContext, rollout: Rollout) -> Generator[Any, Any, Any]:
    """Output: a ``TargetResult``. Never raises for errors of outside services; the target then keeps what it served."""
    candidate: Candidate | None = None
    try:
        _step(context, rollout, "starting the candidate")
        candidate = yield from START_CANDIDATE.call(context, rollout)
        release = yield from _take_over(context, CandidateStep(rollout=rollout, candidate=candidate))
    except Exception as error:  # noqa: BLE001 - refused for good, or retries ran out; the SDK knows no narrower type
        kind, reason = failure_of(error)
    else:
        return to_wire(TargetResult(target=rollout.target, deployed=True, endpoint=release.endpoint))
    if candidate is not None:
        reason += yield from _remove(context, CandidateStep(rollout=rollout, candidate=candidate))
    return to_wire(TargetResult(target=rollout.target, deployed=False, reason=reason, failure_kind=kind))


def _take_over(context: df.DurableOrchestrationContext, step: CandidateStep) -> Generator[Any, Any, Release]:
    if not step.candidate.already_live:
        _step(context, step.rollout, "verifying the candidate")
        yield from VERIFY_CANDIDATE.call(context, step)
    _step(context, step.rollout, "switching traffic")
    try:
        release = yield from SWITCH_TRAFFIC.call(context, step)
    except PermanentError:
        raise
    except Exception as error:
        # The answer may have been lost after the switch was made; then the candidate is live, and stays.
        # Another roll-out finds that out, and records it.
        kind, _ = failure_of(error)
        raise AttributedError(f"{first_line(error)}; check which model the target serves", kind) from error
    return release


def _remove(context: df.DurableOrchestrationContext, step: CandidateStep) -> Generator[Any, Any, str]:
    _step(context, step.rollout, "removing the candidate")
    try:
        yield from REMOVE_CANDIDATE.call(context, step)
    except Exception as error:  # noqa: BLE001 - the first error is the one to report; this one is added to it
        return f"; candidate {step.candidate.name} could not be removed: {first_line(error)}"
    return ""


def _step(context: df.DurableOrchestrationContext, rollout: Rollout, doing: str) -> None:
    report(context, Stage.ROLLING_OUT, target=rollout.target, doing=doing)
