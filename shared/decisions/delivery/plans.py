"""The plans of a roll-out, and whether a target runs them. Pure."""

from dataclasses import replace

from shared.messages import (
    ObservedRelease,
    PlannedRelease,
    ReleaseState,
    Rollout,
    Serving,
    ServingPlan,
    ServingResources,
)

TOLERANCE = 1
"""Percent by which a weight may differ from the planned one; proxies round."""


def found(serving: Serving, *, run_id: str, champion: str | None) -> ServingPlan:
    """The plan of what a target serves when a roll-out of ``run_id`` begins; with no release when nothing serves.

    An interrupted canary leaves two releases with traffic: the champion's is the stable one, else the one with most.
    """
    others = [release for release in serving.releases if release.run_id != run_id]
    serves = [release for release in others if release.weight > 0]
    stable = next((release for release in serves if release.run_id == champion), None)
    if stable is None and serves:
        stable = max(serves, key=lambda release: release.weight)
    if stable is None:  # the run itself serves already; what stands beside it is what it replaced
        stable = next((release for release in others if release.state is ReleaseState.HEALTHY), None)
        if serving.live is None:
            stable = None
    releases = (planned(stable, 100),) if stable else ()
    return ServingPlan(target=serving.target, pipeline=serving.pipeline, releases=releases, based_on=serving.revision)


def planned(release: ObservedRelease, weight: int) -> PlannedRelease:
    """A release as it is there, with another weight."""
    return PlannedRelease(
        run_id=release.run_id,
        image=release.image,
        weight=weight,
        resources=release.resources or ServingResources(),
        model=release.model,
        version=release.version,
    )


def candidate_of(rollout: Rollout, weight: int) -> PlannedRelease:
    """The release that is rolled out."""
    return PlannedRelease(
        run_id=rollout.run_id,
        image=rollout.image,
        weight=weight,
        resources=rollout.resources,
        model=rollout.model,
        version=rollout.version,
    )


def with_candidate(before: ServingPlan, candidate: PlannedRelease) -> ServingPlan:
    """The candidate beside the stable release, which gets the rest of the traffic; alone where nothing serves."""
    stable = tuple(replace(release, weight=100 - candidate.weight) for release in before.releases)
    return replace(before, releases=(*stable, candidate))


def alone(before: ServingPlan, candidate: PlannedRelease) -> ServingPlan:
    """The candidate with all traffic, and nothing beside it."""
    return replace(before, releases=(replace(candidate, weight=100),))


def stable_of(plan: ServingPlan | None) -> PlannedRelease | None:
    """The release that gets all traffic in a plan of what served before; None when nothing did."""
    return plan.releases[0] if plan is not None and plan.releases else None


def runs(serving: Serving, plan: ServingPlan) -> bool:
    """Whether the target runs the plan: its releases get their parts of the traffic, and no other gets any."""
    weights = {release.run_id: release.weight for release in plan.releases}
    return all(
        abs(release.weight - weights.get(release.run_id, 0)) <= TOLERANCE for release in serving.releases
    ) and all(_is_served(serving, release) for release in plan.releases if release.weight > 0)


def is_healthy(serving: Serving, run_id: str) -> bool:
    """Whether a release is there and healthy."""
    release = serving.release(run_id)
    return release is not None and release.state is ReleaseState.HEALTHY


def is_there(serving: Serving, run_id: str) -> bool:
    """Whether a target has anything of a release."""
    release = serving.release(run_id)
    return release is not None and release.state is not ReleaseState.GONE


def _is_served(serving: Serving, release: PlannedRelease) -> bool:
    observed = serving.release(release.run_id)
    return observed is not None and _digest(observed.image) == _digest(release.image)


def _digest(image: str) -> str:
    """What tells images apart; the registry may have several names."""
    return image.rpartition("@")[2]
