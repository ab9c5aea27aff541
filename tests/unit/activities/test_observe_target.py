from dataclasses import replace
from types import SimpleNamespace

from activities.observe_target import observe_target
from shared.messages import (
    ObservedRelease,
    ObserveTarget,
    PlannedRelease,
    ReleaseState,
    Serving,
    ServingPlan,
    ServingResources,
)
from tests.support.memory_tables import memory_ledger
from tests.support.workflow import START

PLANNED = PlannedRelease(
    run_id="new", image="r/m@sha256:1", weight=100, resources=ServingResources(memory="2g"), model="churn", version="7"
)
SEEN = ObservedRelease(run_id="new", image="r/m@sha256:1", state=ReleaseState.HEALTHY, weight=100)


def observed(release: ObservedRelease) -> ObservedRelease:
    ledger = memory_ledger()
    ledger.targets.desire(ServingPlan(target="vm", pipeline="p", releases=(PLANNED,)), by="new", at=START)
    there = SimpleNamespace(observe=lambda pipeline: Serving(target="vm", pipeline=pipeline, releases=(release,)))
    found = observe_target(
        ObserveTarget(target="vm", pipeline="p"),
        known=ledger.targets,
        targets=SimpleNamespace(open=lambda _: there),
        now=START,
    )
    assert ledger.targets.of("vm", "p").seen == found
    return found.releases[0]


def test_what_a_target_does_not_keep_is_taken_from_the_plan() -> None:
    found = observed(SEEN)
    assert (found.resources, found.model, found.version) == (PLANNED.resources, "churn", "7")


def test_what_it_keeps_itself_stays() -> None:
    kept = replace(SEEN, resources=ServingResources(memory="1g"), version="6")
    assert observed(kept) == kept


def test_another_image_of_the_run_is_not_what_was_planned() -> None:
    other = replace(SEEN, image="r/m@sha256:2")
    assert observed(other) == other
