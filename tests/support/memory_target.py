"""A deployment target in memory: it takes plans, and its releases become healthy after so many looks."""

from dataclasses import dataclass, field

from shared.errors import Code, PermanentError
from shared.messages import ObservedRelease, ReleaseState, Serving, ServingPlan


@dataclass
class MemoryTarget:
    """Implements ``shared.deployment_target.DeploymentTarget``, and opens as every target.

    ``ill``: runs whose releases never become healthy, and why. ``slow``: how often a new release is seen starting.
    """

    name: str = "hub-vm"
    ill: dict[str, str] = field(default_factory=dict)
    slow: int = 0
    trouble: Exception | None = None
    plans: list[ServingPlan] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    revision: int = 0
    _looks: dict[str, int] = field(default_factory=dict)

    def open(self, target: str) -> "MemoryTarget":
        assert target == self.name
        return self

    def apply(self, plan: ServingPlan) -> None:
        if self.trouble is not None:
            raise self.trouble
        if plan.based_on not in {"", str(self.revision)}:
            raise PermanentError("the plan was made for an older revision", code=Code.STALE_PLAN)
        if not self.plans or self.plans[-1].releases != plan.releases:
            self.revision += 1
        self.plans.append(plan)
        for release in plan.releases:
            self._looks.setdefault(release.run_id, 0)
            if release.weight == 100 and release.run_id not in self.kept:
                self.kept.append(release.run_id)

    def observe(self, pipeline: str) -> Serving:
        if self.trouble is not None:
            raise self.trouble
        plan = self.plans[-1] if self.plans else ServingPlan(target=self.name, pipeline=pipeline)
        seen = []
        for release in plan.releases:
            self._looks[release.run_id] += 1
            ill = self.ill.get(release.run_id, "")
            state = ReleaseState.STARTING if self._looks[release.run_id] <= self.slow else ReleaseState.HEALTHY
            seen.append(
                ObservedRelease(
                    run_id=release.run_id,
                    image=release.image,
                    state=ReleaseState.UNHEALTHY if ill else state,
                    weight=release.weight if state is ReleaseState.HEALTHY and not ill else 0,
                    trouble=ill,
                    final=bool(ill),
                )
            )
        return Serving(
            target=self.name,
            pipeline=pipeline,
            releases=tuple(seen),
            revision=str(self.revision),
            endpoint="http://target.example",
            kept=tuple(self.kept),
        )
