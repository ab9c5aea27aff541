"""Have a target run a plan whose images the ledger knows."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from shared.decisions.delivery.action_sentences import retired_meanwhile
from shared.deployment_target import DeploymentTargets
from shared.errors import Code, PermanentError
from shared.messages import (
    ApplyPlan,
    Cancellation,
    Done,
    KnownImage,
    PlannedRelease,
    Retirement,
    RunRecord,
    ServingPlan,
    TargetState,
)


class Targets(Protocol):
    """Keeps what each target should run."""

    def of(self, target: str, pipeline: str) -> TargetState:
        """What is known of a target and a pipeline."""

    def desire(
        self,
        plan: ServingPlan,
        *,
        by: str,
        at: datetime,
        before: ServingPlan | None,
        unless: Callable[[TargetState], None],
    ) -> None:
        """Record that the target should run the plan, unless ``unless`` raises."""


class Images(Protocol):
    """Knows the image of each run."""

    def of(self, run_id: str) -> KnownImage | None:
        """The image that was built for a run."""


class Runs(Protocol):
    """Knows the records of runs."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""

    def cancellation(self, run_id: str) -> Cancellation | None:
        """Who wants the run to end; None when nobody does."""


class Actions(Protocol):
    """Knows which pipelines are retired."""

    def retired(self, pipeline: str) -> Retirement | None:
        """The mark of a pipeline whose retirement has begun."""


def apply_plan(
    command: ApplyPlan,
    *,
    desired: Targets,
    images: Images,
    runs: Runs,
    actions: Actions,
    targets: DeploymentTargets,
    now: datetime,
) -> Done:
    """Record the plan as desired, then give it to the target; safe to repeat.

    It is recorded first, so that a target that was not reached is brought there by the reconciler. A run that has
    ended, or whose pipeline was retired, changes nothing any more: its late plan would undo what came after it.
    """
    plan = command.plan
    for release in plan.releases:
        _require_known(release, plan, desired, images, runs)

    def unless(_: TargetState) -> None:
        retirement = actions.retired(plan.pipeline) if plan.releases else None
        if retirement is not None:
            raise PermanentError(retired_meanwhile(retirement, plan.target, command.by), code=Code.PIPELINE_RETIRED)
        ended = runs.run(command.by)
        if ended is not None and ended.outcome is None and runs.cancellation(command.by) is not None:
            raise PermanentError(
                f"run {command.by} was cancelled, so it changes nothing on {plan.target} any more",
                code=Code.RUN_CANCELLED,
            )
        if ended is not None and ended.outcome is not None:
            raise PermanentError(
                f"run {command.by} has ended ({ended.outcome.value}), so it changes nothing on {plan.target} any more",
                code=Code.RUN_ENDED,
            )

    desired.desire(plan, by=command.by, at=now, before=command.before, unless=unless)
    targets.open(plan.target).apply(plan)
    return Done()


def _require_known(release: PlannedRelease, plan: ServingPlan, desired: Targets, images: Images, runs: Runs) -> None:
    """The image must be the one that was built for the run, or the one that serves there for it already."""
    built = images.of(release.run_id)
    if built is not None and (built.reference, built.pipeline) == (release.image, plan.pipeline):
        return
    record = runs.run(release.run_id)  # runs from before the ledger kept their images apart
    if record is not None and (record.image, record.pipeline) == (release.image, plan.pipeline):
        return
    seen = desired.of(plan.target, plan.pipeline).seen
    there = seen.release(release.run_id) if seen is not None else None
    if there is not None and there.image == release.image:
        return
    raise PermanentError(
        f"the ledger knows no image {release.image} of run {release.run_id} of pipeline {plan.pipeline}, so it is not"
        f" brought to {plan.target}; roll out a run that the app trained, or find out who asked for this one",
        code=Code.UNKNOWN_RELEASE,
    )
