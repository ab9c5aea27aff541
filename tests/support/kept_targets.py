"""Targets in memory for whoever looks after them: they do what a plan says at once, and forget when a test says so."""

from dataclasses import dataclass, field, replace

from shared.errors import Code, PermanentError
from shared.messages import ObservedRelease, ReleaseState, Serving, ServingPlan


@dataclass
class KeptTarget:
    """One target and pipeline. ``broken``: what it raises when it is asked, or told, anything."""

    name: str
    pipeline: str
    releases: tuple[ObservedRelease, ...] = ()
    revision: int = 1
    kept: tuple[str, ...] = ()
    broken: Exception | None = None
    plans: list[ServingPlan] = field(default_factory=list)
    looks: int = 0

    def observe(self, pipeline: str) -> Serving:
        assert pipeline == self.pipeline
        self.looks += 1
        if self.broken is not None:
            raise self.broken
        return Serving(
            target=self.name,
            pipeline=pipeline,
            releases=self.releases,
            revision=str(self.revision),
            kept=self.kept,
        )

    def apply(self, plan: ServingPlan) -> None:
        if self.broken is not None:
            raise self.broken
        if plan.based_on not in {"", str(self.revision)}:
            raise PermanentError("the plan was made for an older revision", code=Code.STALE_PLAN)
        self.revision += 1
        self.plans.append(plan)
        self.releases = tuple(
            ObservedRelease(run_id=each.run_id, image=each.image, state=ReleaseState.HEALTHY, weight=each.weight)
            for each in plan.releases
        )

    def loses_its_containers(self) -> None:
        """As after a reboot without restart."""
        self.releases = tuple(replace(each, state=ReleaseState.GONE, weight=0) for each in self.releases)

    def is_served_by(self, run_id: str, image: str) -> None:
        """Somebody starts this container there and gives it all traffic."""
        self.revision += 1
        self.releases = (ObservedRelease(run_id=run_id, image=image, state=ReleaseState.HEALTHY, weight=100),)


@dataclass
class KeptTargets:
    """Opens them by name; one pipeline each."""

    by_name: dict[str, KeptTarget] = field(default_factory=dict)

    def open(self, target: str) -> KeptTarget:
        return self.by_name[target]
