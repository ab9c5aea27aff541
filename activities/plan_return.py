"""Find out what a target should run when the release of a run is to go."""

from typing import Protocol

from shared.decisions.delivery.goals import plan_without
from shared.deployment_target import DeploymentTargets
from shared.messages import Champion, ReturnPlan, ReturnQuery, TargetState


class Targets(Protocol):
    """Knows what each target should run."""

    def of(self, target: str, pipeline: str) -> TargetState:
        """What is known of a target and a pipeline."""


class Champions(Protocol):
    """Knows the champion of each pipeline."""

    def champion(self, pipeline: str) -> Champion:
        """The current champion."""


def plan_return(
    query: ReturnQuery, *, desired: Targets, champions: Champions, targets: DeploymentTargets
) -> ReturnPlan:
    """The plan; None when the run has nothing there. A target that nobody wanted anything of is not asked."""
    known = desired.of(query.target, query.pipeline)
    if known.desired is None and known.seen is None:
        return ReturnPlan()
    serving = targets.open(query.target).observe(query.pipeline)
    return ReturnPlan(plan=plan_without(query.without, known, serving, champions.champion(query.pipeline)))
