"""Azure Container Apps: an app for each pipeline, a revision for each release, traffic by named revision.

The app carries tags: which plan was applied last (the target's revision), its weights, whether it has gone live, and
which revisions had all of the traffic. Everything else is read from the app and its revisions. A revision never
changes, so a release with other resources is another revision.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.clients.container_apps.arm import ContainerApps, Counted
from shared.clients.container_apps.bodies import App, Revision, Surroundings, new_app, new_revision, new_traffic
from shared.clients.container_apps.errors import Busy
from shared.clients.container_apps.health import Health, scoring_url
from shared.clients.container_apps.names import (
    LIVE_TAG,
    PLAN_TAG,
    REVISION_TAG,
    SERVED_TAG,
    app_name,
    is_stale,
    next_revision,
    plan_text,
    served_text,
    size_for,
    suffix_of,
)
from shared.clients.identity import service_principal
from shared.clients.serving_targets import TargetServices
from shared.errors import Code, PermanentError
from shared.messages.serving import ObservedRelease, PlannedRelease, Serving, ServingPlan
from shared.settings import setting_of

_LOOKS_AGAIN: Final = 2
_PAUSE_SECONDS: Final = 1.0


class Settings(BaseModel):
    """Where the apps are made, how the app speaks to Azure, and how Container Apps pull.

    Without ``client_id`` and ``client_secret`` it speaks as its managed identity. ``pull_identity``: ARM id of a
    user-assigned identity with the role AcrPull; ``pull_username`` and ``pull_password`` instead for other registries.
    """

    model_config = ConfigDict(frozen=True)

    subscription_id: str
    resource_group: str
    environment_id: str = Field(description="ARM id of the Container Apps environment")
    location: str
    registry: str = Field(description="the registry's name in images, such as name.azurecr.io")
    name_prefix: str = Field("", pattern=r"^([a-z][a-z0-9-]{0,15})?$", description="of the names of apps")
    replicas: int = Field(1, ge=1, le=100, description="of each revision")
    external: bool = Field(default=True, description="whether apps are reached from outside of their environment")
    pull_identity: str = ""
    pull_username: str = ""
    pull_password: SecretStr = SecretStr("")
    tenant_id: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    url: str = Field("https://management.azure.com", pattern=r"^https://", description="Azure Resource Manager")
    authority: str = Field("https://login.microsoftonline.com", pattern=r"^https://")
    ca_bundle: str = Field("", description="certificates to trust, for another cloud; empty: the usual ones")

    @model_validator(mode="after")
    def _can_pull(self) -> "Settings":
        if bool(self.pull_identity) == bool(self.pull_username):
            raise ValueError("set either PULL_IDENTITY or PULL_USERNAME with PULL_PASSWORD")
        return self


class ContainerAppsTarget:
    """The target. Implements :class:`shared.deployment_target.DeploymentTarget`."""

    def __init__(self, name: str, settings: Settings, services: TargetServices, apps: ContainerApps) -> None:
        self._name = name
        self._settings = settings
        self._services = services
        self._apps = apps
        self._health = Health(apps, name, services.smoke_sample, set())

    def apply(self, plan: ServingPlan) -> None:
        """Make it so, or as far as it goes now: what the service is busy with is left for the next call."""
        name = app_name(self._settings.name_prefix, plan.pipeline)
        for release in plan.releases:
            size_for(release.resources)
        app = self._app_for(name, plan)
        if app is not None and is_stale(app.revision, plan):
            reason = (
                f"target {self._name} has taken another plan for {plan.pipeline} ({app.revision}) since this one was "
                f"made for {plan.based_on}; observe it and plan anew"
            )
            raise PermanentError(reason, code=Code.STALE_PLAN)
        if not plan.releases:
            if app is not None:
                self._apps.delete(name)
            return
        revisions = {revision.name: revision for revision in self._apps.revisions(app)} if app else {}
        self._verify(name, plan, revisions)
        tags = {REVISION_TAG: next_revision(app.revision if app else "", plan), PLAN_TAG: plan_text(plan)}
        taken = app is not None and app.revision == tags[REVISION_TAG]
        try:
            self._bring(name, plan, app, revisions, tags)
            taken = True
            self._weigh(name, plan, tags)
            self._switch_off(name, plan)
        except Busy:
            if not taken:
                raise

    def observe(self, pipeline: str) -> Serving:
        """What is there: each revision that runs, that has traffic, or that the last plan wanted."""
        name = app_name(self._settings.name_prefix, pipeline)
        app = self._apps.app(name)
        if app is None:
            return Serving(target=self._name, pipeline=pipeline)
        revisions = [revision for revision in self._apps.revisions(app) if revision.run_id]
        there = [each for each in revisions if each.active or each.weight or each.suffix in app.planned]
        # A run whose size has changed has two revisions for a while: what was planned comes first.
        there.sort(key=lambda each: (each.suffix not in app.planned, -each.weight))
        begin = min((each.created for each in there if each.created), default=datetime.now(UTC))
        counted = self._apps.counted(app, begin) if there else {}
        releases = tuple(self._observed(app, each, counted.get(each.name, Counted())) for each in there)
        return Serving(
            target=self._name,
            pipeline=pipeline,
            releases=releases,
            revision=app.revision,
            endpoint=scoring_url(app.address) if app.address and _has_gone_live(app) else None,
            kept=_kept(app, revisions, there),
        )

    def _app_for(self, name: str, plan: ServingPlan) -> App | None:
        """The app that the plan is for; None when there is none.

        The plan may be based on an app that was seen. Azure Resource Manager can say for a moment that there is no such
        one, and to make it anew would give all of its traffic to a release that nobody has seen healthy.
        """
        app = self._apps.app(name)
        for _ in range(_LOOKS_AGAIN if plan.based_on else 0):
            if app is not None:
                break
            time.sleep(_PAUSE_SECONDS)
            app = self._apps.app(name)
        return app

    @cached_property
    def _around(self) -> Surroundings:
        settings = self._settings
        return Surroundings(
            location=settings.location,
            environment_id=settings.environment_id,
            registry=settings.registry,
            username=settings.pull_username,
            password=settings.pull_password.get_secret_value(),
            identity=settings.pull_identity,
            external=settings.external,
            replicas=settings.replicas,
        )

    def _verify(self, name: str, plan: ServingPlan, revisions: dict[str, Revision]) -> None:
        """Verify the signature of each image that would be brought here now, before anything is changed."""
        for release in plan.releases:
            known = revisions.get(f"{name}--{suffix_of(release)}")
            if known is None or not known.active:
                self._services.trusted(release.image)

    def _bring(
        self, name: str, plan: ServingPlan, app: App | None, revisions: dict[str, Revision], tags: dict[str, str]
    ) -> None:
        """Make the app, and the revisions that are missing; switch on those that are off."""
        missing = [each for each in _heaviest_first(plan) if f"{name}--{suffix_of(each)}" not in revisions]
        if app is None:
            first, *missing = missing
            self._apps.create(name, new_app(name, first, self._around, tags))
        for release in missing:
            self._apps.update(name, new_revision(release, self._around, tags))
        for release in plan.releases:
            known = revisions.get(f"{name}--{suffix_of(release)}")
            if known is not None and not known.active:
                self._apps.activate(known)

    def _weigh(self, name: str, plan: ServingPlan, tags: dict[str, str]) -> None:
        """Give the weights of the plan, if every release that gets traffic for the first time is well.

        And if one that is to have traffic is well at all: the last one that answers is not taken out for others.
        """
        app = self._apps.app(name)
        if app is None:
            return
        wanted = {f"{name}--{suffix_of(each)}": each.weight for each in plan.releases if each.weight}
        revisions = {revision.name: revision for revision in self._apps.revisions(app)}
        known = [revisions[each] for each in wanted if each in revisions]
        well = {each.name for each in known if self._health.answers(each)}
        weights = app.weights if _has_gone_live(app) else {}
        newcomers = {each for each in wanted if not weights.get(each)}
        moves = wanted != weights and bool(well) and newcomers <= well
        if moves:
            tags = {**tags, LIVE_TAG: "yes", SERVED_TAG: served_text(app.served, plan)}
        if moves or app.mode != "Multiple" or app.tags.get(REVISION_TAG) != tags[REVISION_TAG]:
            weighed = plan if moves else ServingPlan(target=plan.target, pipeline=plan.pipeline)
            self._apps.update(name, new_traffic(name, weighed, tags))

    def _switch_off(self, name: str, plan: ServingPlan) -> None:
        """Deactivate what the plan does not name, once it has no traffic; it can be switched on again."""
        app = self._apps.app(name)
        wanted = {f"{name}--{suffix_of(each)}" for each in plan.releases}
        for revision in self._apps.revisions(app) if app is not None else ():
            if revision.active and revision.name not in wanted and not revision.weight:
                self._apps.deactivate(revision)

    def _observed(self, app: App, revision: Revision, counted: Counted) -> ObservedRelease:
        release = self._health.observed(revision, counted)
        if _has_gone_live(app):
            return release
        # All traffic of an app that has not gone live yet is that of nobody: its address was told to no one.
        return replace(release, weight=0)


def connect(name: str, settings: Settings, services: TargetServices) -> ContainerAppsTarget:
    """The target of that name; nothing is asked of Azure yet."""
    if settings.client_id and settings.client_secret.get_secret_value():
        credential = service_principal(
            settings.tenant_id,
            settings.client_id,
            settings.client_secret.get_secret_value(),
            setting=setting_of(name, "CLIENT_SECRET"),
            authority=settings.authority,
            ca_bundle=settings.ca_bundle,
        )
    else:
        credential = services.identity(settings.client_id)
    apps = ContainerApps(
        url=settings.url,
        subscription_id=settings.subscription_id,
        resource_group=settings.resource_group,
        credential=credential,
        ca_bundle=settings.ca_bundle,
    )
    return ContainerAppsTarget(name, settings, services, apps)


def _heaviest_first(plan: ServingPlan) -> list[PlannedRelease]:
    """An app is made with one revision, which gets all its traffic at first."""
    return sorted(plan.releases, key=lambda release: -release.weight)


def _kept(app: App, revisions: list[Revision], there: list[Revision]) -> tuple[str, ...]:
    """Runs whose revisions had all of the traffic and can be switched on again, newest first."""
    runs = {each.suffix: each.run_id for each in revisions}
    served = (runs[suffix] for suffix in app.served.split() if suffix in runs)
    here = {each.run_id for each in there}
    return tuple(run_id for run_id in dict.fromkeys(served) if run_id not in here)


def _has_gone_live(app: App) -> bool:
    """Whether the traffic is what a plan gave; in an app without our tags it is what somebody else gave."""
    return LIVE_TAG in app.tags or REVISION_TAG not in app.tags
