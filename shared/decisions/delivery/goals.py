"""Whether a target runs what it should, what it should run without a run's release, and how long to wait. Pure."""

from dataclasses import replace
from datetime import timedelta

from shared.messages import (
    Champion,
    ObservedRelease,
    PlannedRelease,
    ReleaseState,
    Serving,
    ServingPlan,
    ServingResources,
    TargetState,
)

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (2, 2, 3, 5, 5, 10, 10, 15))
"""Between the looks at a target that is being brought to its plan; the last one goes on."""
POLLS_PER_EXECUTION = 15


def pause_after(polls: int) -> timedelta:
    """How long to wait after so many looks."""
    return PAUSES[min(polls, len(PAUSES)) - 1] if polls else PAUSES[0]


def is_fulfilled(plan: ServingPlan, serving: Serving) -> bool:
    """Whether the target runs the plan: what gets traffic is healthy and gets its part, and nothing else is there."""
    there = {release.run_id: release for release in serving.releases if release.state is not ReleaseState.GONE}
    if there.keys() - {release.run_id for release in plan.releases}:
        return False
    return all(_is_served(release, there.get(release.run_id)) for release in plan.releases if release.weight)


def hopeless(plan: ServingPlan, serving: Serving) -> str:
    """Why waiting does not help: a release that should serve is ill for good; empty when it may yet become well."""
    for release in plan.releases:
        seen = serving.release(release.run_id)
        if release.weight and seen is not None and seen.image == release.image and seen.final:
            return f"the release of run {release.run_id} is {seen.state.value}: {seen.trouble or 'its log says why'}"
    return ""


def difference(plan: ServingPlan, serving: Serving) -> str:
    """What the plan lacks yet, as the end of a sentence about its target."""
    planned = {release.run_id for release in plan.releases}
    stray = [
        each.run_id for each in serving.releases if each.state is not ReleaseState.GONE and each.run_id not in planned
    ]
    if stray:
        return f"still runs the release of run {', '.join(stray)}"
    for release in plan.releases:
        seen = serving.release(release.run_id)
        if release.weight and not _is_served(release, seen):
            state = seen.state.value if seen is not None else ReleaseState.GONE.value
            weight = seen.weight if seen is not None else 0
            ill = f": {seen.trouble}" if seen is not None and seen.trouble else ""
            part = f"{weight} % of the traffic instead of {release.weight} %"
            return f"gives the release of run {release.run_id} {part}, and it is {state}{ill}"
    return "runs what it should"


def plan_without(run_id: str, known: TargetState, serving: Serving, champion: Champion) -> ServingPlan | None:
    """What the target should run when the release of a run is to go; None when the run has nothing there.

    What served beside it gets all of the traffic; where there is nothing such, the champion does if the target keeps
    it; else the target serves nothing, as before the run.
    """
    wanted = known.desired.releases if known.desired else ()
    seen = [release for release in serving.releases if release.state is not ReleaseState.GONE]
    if run_id not in {release.run_id for release in wanted} | {release.run_id for release in seen}:
        return None
    stable = _stable(run_id, wanted, seen, champion, serving)
    releases = (replace(stable, weight=100),) if stable else ()
    return ServingPlan(target=known.target, pipeline=known.pipeline, releases=releases)


def plan_to(to: PlannedRelease, bad: PlannedRelease | None, known: TargetState) -> ServingPlan:
    """A roll-back: ``to`` gets all of the traffic, ``bad`` stays without any."""
    kept = (replace(bad, weight=0),) if bad is not None and bad.run_id != to.run_id else ()
    return ServingPlan(target=known.target, pipeline=known.pipeline, releases=(replace(to, weight=100), *kept))


def resources_of(run_id: str, known: TargetState) -> ServingResources:
    """What a release's container may use there: as wanted last, or as the others'."""
    wanted = known.desired.releases if known.desired else ()
    found = next((release for release in wanted if release.run_id == run_id), wanted[0] if wanted else None)
    return found.resources if found else ServingResources()


def _stable(
    run_id: str,
    wanted: tuple[PlannedRelease, ...],
    seen: list[ObservedRelease],
    champion: Champion,
    serving: Serving,
) -> PlannedRelease | None:
    weights = {release.run_id: release.weight for release in seen}
    resources = next((release.resources for release in wanted), ServingResources())
    others = {
        release.run_id: PlannedRelease(
            run_id=release.run_id,
            image=release.image,
            weight=0,
            resources=release.resources or resources,
            model=release.model,
            version=release.version,
        )
        for release in seen
    } | {release.run_id: release for release in wanted}
    others.pop(run_id, None)
    if others:
        return max(
            others.values(),
            key=lambda each: (weights.get(each.run_id, 0), each.weight, each.run_id == champion.run_id),
        )
    if champion.run_id and champion.image and champion.run_id != run_id and champion.run_id in serving.kept:
        return PlannedRelease(
            run_id=champion.run_id,
            image=champion.image,
            weight=0,
            resources=resources,
            model=champion.model or "",
            version=champion.version or "",
        )
    return None


def _is_served(planned: PlannedRelease, seen: ObservedRelease | None) -> bool:
    return (
        seen is not None
        and seen.image == planned.image
        and seen.state is ReleaseState.HEALTHY
        and seen.weight == planned.weight
    )
