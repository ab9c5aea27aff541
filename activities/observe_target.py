"""Ask a target what it runs, and keep the answer."""

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from shared.deployment_target import DeploymentTargets
from shared.messages import ObservedRelease, ObserveTarget, Serving, ServingPlan, TargetState


class Targets(Protocol):
    """Keeps what each target should run, and what it ran."""

    def of(self, target: str, pipeline: str) -> TargetState:
        """What is known of a target and a pipeline."""

    def saw(self, serving: Serving, *, at: datetime) -> None:
        """Record what the target ran."""


def observe_target(query: ObserveTarget, *, known: Targets, targets: DeploymentTargets, now: datetime) -> Serving:
    """What the target runs for the pipeline. What it does not keep of a release is taken from the plan it came with.

    So the next plan says the same of a release that stays, and the target does not start it anew.
    """
    serving = targets.open(query.target).observe(query.pipeline)
    if any(release.resources is None for release in serving.releases):
        desired = known.of(query.target, query.pipeline).desired
        serving = replace(serving, releases=tuple(_as_planned(each, desired) for each in serving.releases))
    known.saw(serving, at=now)
    return serving


def _as_planned(release: ObservedRelease, desired: ServingPlan | None) -> ObservedRelease:
    planned = desired.release(release.run_id) if desired is not None else None
    if release.resources is not None or planned is None or planned.image != release.image:
        return release
    return replace(
        release,
        resources=planned.resources,
        model=release.model or planned.model,
        version=release.version or planned.version,
    )
