"""What to do about a target that does not run what it should. Pure.

The ledger's desired plan is what a target should run. It counts unless it is lost, was left halfway by a roll-out that
is over, or names a release that never passed its roll-out there; then the champion, or what serves and did pass, takes
its place. Where somebody acts already, nothing is done here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.decisions.promotion.crowning import champion_of, promoted_at
from shared.messages import (
    Champion,
    ObservedRelease,
    Outcome,
    PlannedRelease,
    ReleaseState,
    RunRecord,
    Serving,
    ServingPlan,
    ServingResources,
    TargetState,
)

TOLERANCE = 1
"""Percent by which a weight may differ from the planned one; proxies round."""

WAITS = "it is looked at again in the next cycle"
"""The end of what is said of a target that is on its way to its plan."""

_HALFWAY = "a roll-out was left halfway"
_ON_ITS_WAY = frozenset({ReleaseState.PULLING, ReleaseState.STARTING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the ledger knows of a run, as far as a target is concerned.

    ``released``: it was promoted, and passed its roll-out to this very target. ``finished``: it has an outcome.
    """

    image: str
    released: bool
    finished: bool
    resources: ServingResources = field(default_factory=ServingResources)
    model: str = ""
    version: str = ""

    def release(self, run_id: str) -> PlannedRelease:
        """Its release, with all of the traffic."""
        return PlannedRelease(
            run_id=run_id,
            image=self.image,
            weight=100,
            resources=self.resources,
            model=self.model,
            version=self.version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that the decision needs. ``claims``: by run id, for the runs that plan, target and champion name.

    ``busy``: who brings the target to a plan right now, in words; empty when nobody does.
    """

    state: TargetState
    serving: Serving
    champion: Champion
    claims: Mapping[str, Claim] = field(default_factory=dict)
    retired: bool = False
    busy: str = ""


class Step(StrEnum):
    """``APPLY``: give the plan to the target. ``ADOPT``: it runs the plan already, which only the ledger lacks.

    ``WAIT``: it is on its way there. ``LEAVE``: it is as it should be, or nothing that the ledger knows may be done.
    """

    APPLY = "apply"
    ADOPT = "adopt"
    WAIT = "wait"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """The decision. ``drift``: in which way the target differs and what is done about it; empty when it does not.

    ``plan``: for ``APPLY`` and ``ADOPT``, based on the revision that was seen.
    """

    step: Step
    drift: str = ""
    plan: ServingPlan | None = None


def care_for(view: View) -> Care:
    """What to do now about one target of one pipeline."""
    if view.busy:
        return Care(step=Step.LEAVE, drift=view.state.drift)
    plan, why = _wanted(view)
    if plan is None:
        return Care(step=Step.LEAVE, drift=why)
    differences = differences_of(plan, view)
    if not differences:
        return Care(step=Step.LEAVE if _same(plan, view.state.desired) else Step.ADOPT, plan=plan)
    text = "; ".join([*([why] if why else []), *differences])
    if _is_coming(plan, view.serving):
        return Care(step=Step.WAIT, drift=f"{text}; {WAITS}")
    return Care(step=Step.APPLY, drift=f"{text}; {_done_about_it(plan, view)}", plan=plan)


def differences_of(plan: ServingPlan, view: View) -> list[str]:
    """In which ways the target differs from a plan, each as a clause; empty when it runs the plan."""
    found: list[str] = []
    for release in plan.releases:
        found += _lacks(release, view.serving.release(release.run_id))
    planned = {release.run_id for release in plan.releases}
    for other in view.serving.releases:
        if other.run_id not in planned and other.state is not ReleaseState.GONE:
            found.append(_too_much(other, view))
    return found


def planned_from(champion: Champion, claims: Mapping[str, Claim]) -> PlannedRelease | None:
    """The champion's release, if it passed its roll-out to this target."""
    claim = claims.get(champion.run_id or "")
    if champion.run_id is None or claim is None or not claim.released or not claim.image:
        return None
    return claim.release(champion.run_id)


def claim_of(record: RunRecord, target: str, resources: ServingResources) -> Claim:
    """What a run's record says about its release on a target."""
    there = any(result.target == target and result.deployed for result in record.targets)
    return Claim(
        image=record.image or "",
        released=record.outcome is Outcome.PROMOTED and there,
        finished=record.outcome is not None,
        resources=resources,
        model=record.model or "",
        version=record.version or "",
    )


def lost_champion(pipeline: str, served: Mapping[str, RunRecord]) -> Champion | None:
    """The champion as the records of the runs that serve have it; None when none of them may be it.

    ``served``: target -> the record of the run that serves there. Of several, the one that was promoted last.
    """
    promoted = [
        record
        for target, record in served.items()
        if record.pipeline == pipeline and claim_of(record, target, ServingResources()).released
    ]
    last = max(promoted, key=promoted_at, default=None)
    return champion_of(last) if last is not None else None


def _wanted(view: View) -> tuple[ServingPlan | None, str]:
    """What the target should run, and why that is not simply the desired plan; None when nobody knows."""
    state, serving = view.state, view.serving
    empty = ServingPlan(target=state.target, pipeline=state.pipeline, based_on=serving.revision)
    if view.retired:
        return empty, ""
    if state.desired is None:
        return _without_a_plan(view, empty)
    desired = replace(state.desired, based_on=serving.revision)
    if not any(release.weight for release in desired.releases):
        left = tuple(release for release in desired.releases if not _failed(release, view.claims))
        return replace(desired, releases=left), "" if left == desired.releases else _HALFWAY
    return _with_one_stable_release(view, desired)


def _with_one_stable_release(view: View, desired: ServingPlan) -> tuple[ServingPlan, str]:
    """The plan of a target that serves: nobody moves its traffic, so one release gets all of it."""
    stable = _stable(view, desired)
    if stable is None:
        return desired, ""
    if desired.release(stable.run_id) is not None:
        if stable.weight == 100:
            return desired, ""
        return replace(desired, releases=(replace(stable, weight=100),)), _HALFWAY
    last = max(desired.releases, key=lambda release: release.weight)
    why = f"run {last.run_id} did not pass its roll-out, and run {stable.run_id} is the champion"
    return replace(desired, releases=(stable,)), why


def _stable(view: View, desired: ServingPlan) -> PlannedRelease | None:
    """The release that should have all traffic; None when the plan says so itself, or nothing better is known."""
    serving = [release for release in desired.releases if release.weight > 0]
    champion = planned_from(view.champion, view.claims)
    good = [release for release in serving if not _failed(release, view.claims)]
    if not good:
        return champion
    return max(good, key=lambda release: (release.run_id == view.champion.run_id, release.weight))


def _failed(release: PlannedRelease, claims: Mapping[str, Claim]) -> bool:
    claim = claims.get(release.run_id)
    return claim is not None and claim.finished and not claim.released


def _without_a_plan(view: View, empty: ServingPlan) -> tuple[ServingPlan | None, str]:
    live = view.serving.live
    champion = planned_from(view.champion, view.claims)
    if live is not None and _is_ours(live, view.claims):
        others = {release.run_id for release in view.serving.releases if release.weight > 0} - {live.run_id}
        if champion is None or champion.run_id == live.run_id or not others:
            return replace(empty, releases=(view.claims[live.run_id].release(live.run_id),)), ""
    if champion is not None:
        return replace(empty, releases=(champion,)), "the ledger had lost what should run there"
    if live is None:
        return None, ""
    return None, (
        f"run {live.run_id} serves there with {_short(live.image)}, which the ledger does not know as released there,"
        " and it knows nothing that should serve instead, so it is left as it is; find out who put it there, or start a"
        " run"
    )


def _is_ours(release: ObservedRelease, claims: Mapping[str, Claim]) -> bool:
    claim = claims.get(release.run_id)
    return claim is not None and claim.released and claim.image == release.image


def _lacks(release: PlannedRelease, seen: ObservedRelease | None) -> list[str]:
    name = f"the release of run {release.run_id}"
    if seen is None or seen.state is ReleaseState.GONE:
        return [f"{name} is gone"]
    if seen.image != release.image:
        return [f"{name} runs {_short(seen.image)} instead of {_short(release.image)}"]
    if release.weight == 0:
        return [f"{name} gets {seen.weight} % of the traffic instead of none"] if seen.weight > TOLERANCE else []
    if seen.state is not ReleaseState.HEALTHY:
        return [f"{name} is {seen.state.value}" + (f" ({seen.trouble})" if seen.trouble else "")]
    if abs(seen.weight - release.weight) > TOLERANCE:
        return [f"{name} gets {seen.weight} % of the traffic instead of {release.weight} %"]
    return []


def _too_much(other: ObservedRelease, view: View) -> str:
    traffic = f" and gets {other.weight} % of the traffic" if other.weight else ""
    known = view.claims.get(other.run_id)
    if known is None or (known.image and known.image != other.image):
        return f"{_short(other.image)} of run {other.run_id}, which the ledger does not know, runs there{traffic}"
    return f"the release of run {other.run_id} still runs there{traffic}"


def _is_coming(plan: ServingPlan, serving: Serving) -> bool:
    """Whether all that is wrong is that releases of the plan start just now."""
    planned = {release.run_id: release for release in plan.releases}
    if any(other.run_id not in planned and other.weight > 0 for other in serving.releases):
        return False
    seen = [(release, serving.release(release.run_id)) for release in plan.releases if release.weight > 0]
    return bool(seen) and all(
        there is not None and there.image == release.image and there.state in _ON_ITS_WAY for release, there in seen
    )


def _done_about_it(plan: ServingPlan, view: View) -> str:
    for release in plan.releases:
        seen = view.serving.release(release.run_id)
        if release.weight and seen is not None and seen.image == release.image and seen.final:
            return (
                "its plan is applied again, but that release will not become healthy by itself: roll back to another"
                f" one, or correct what its log names (edgetrain logs {release.run_id})"
            )
    return "its plan is applied again"


def _same(plan: ServingPlan, desired: ServingPlan | None) -> bool:
    return desired is not None and replace(desired, based_on=plan.based_on) == plan


def _short(image: str) -> str:
    """An image as people read it: repository and the beginning of its digest."""
    name, _, digest = image.rpartition("@sha256:")
    return f"{name.partition('/')[2] or name}@{digest[:12]}" if name else image or "no image"
