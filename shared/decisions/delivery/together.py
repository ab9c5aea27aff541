"""The roll-outs of a run to several targets: how many at a time, and what a failure means for the others. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shared.decisions.delivery.roll_out_ends import BY_ITSELF
from shared.decisions.training.failure_causes import common_failure_kind
from shared.messages import (
    DeliveryRule,
    FailureKind,
    GoalEnd,
    OnFailure,
    Outcome,
    RolloutPhase,
    TargetPlan,
    TargetResult,
)

DELIVER_AGAIN = "that is not tried again by itself: when the cause is corrected, start a run with force"


def waves(targets: Sequence[TargetPlan], most: int) -> Iterator[Sequence[TargetPlan]]:
    """The targets in their order, so many at a time."""
    for begin in range(0, len(targets), most):
        yield targets[begin : begin + most]


def must_all_go_back(rule: DeliveryRule, results: Sequence[TargetResult]) -> bool:
    """Whether one target's failure means that all go back."""
    return rule.on_failure is OnFailure.ROLL_BACK_ALL and any(not result.deployed for result in results)


def not_begun(target: TargetPlan, results: Sequence[TargetResult]) -> TargetResult:
    """The result of a target that was left alone, because an earlier one failed."""
    return TargetResult(
        target=target.name,
        deployed=False,
        reason=f"not begun, because {_first_failed(results)}",
        failure_kind=_first_failure(results).failure_kind,
        touched=False,
    )


def went_back(result: TargetResult, end: GoalEnd, results: Sequence[TargetResult]) -> TargetResult:
    """The result of a target that had succeeded, and was brought back because another one failed."""
    reason = f"taken back, because {_first_failed(results)}"
    if not end.reached:
        reason += f"; it was not seen to serve what it did before: {end.trouble}; {BY_ITSELF}"
    return replace(
        result,
        deployed=False,
        reason=reason,
        failure_kind=_first_failure(results).failure_kind,
        phase=RolloutPhase.DONE,
        restored=end.reached,
        serves=result.before if end.reached else None,
    )


def outcome_of(results: Sequence[TargetResult]) -> tuple[Outcome, str, FailureKind | None]:
    """The run's outcome, what to add to its reason, and its failure kind.

    A run that is rejected everywhere is not promoted: its model was left as it is, and nothing failed. So is one that
    is rejected somewhere, and therefore goes nowhere.
    """
    failed = [result for result in results if not result.deployed]
    said = "; ".join(f"{result.target}: {result.reason}" for result in failed)
    if len(failed) < len(results):
        return Outcome.PROMOTED, f"; not rolled out to {said}; {DELIVER_AGAIN}" if failed else "", None
    own = [result for result in failed if not _is_others_fault(result)]
    if all(_is_rejected(result) for result in own):
        return Outcome.NOT_PROMOTED, f"rolling_out: {said}", None
    kinds = [result.failure_kind for result in own if not _is_rejected(result)]
    return Outcome.ROLLED_BACK, f"rolling_out: {said}", common_failure_kind(kinds)


def _is_rejected(result: TargetResult) -> bool:
    return result.approval is not None and result.approval.approved is False


def _is_others_fault(result: TargetResult) -> bool:
    """Whether it was left alone, or taken back, because another target failed."""
    was_taken_back = result.phase is RolloutPhase.DONE and not result.deployed
    return was_taken_back or (result.phase is None and not result.touched)


def _first_failure(results: Sequence[TargetResult]) -> TargetResult:
    return next(result for result in results if not result.deployed)


def _first_failed(results: Sequence[TargetResult]) -> str:
    first = _first_failure(results)
    return f"{first.target} {'was rejected' if _is_rejected(first) else 'failed'}"
