"""A place of each kind: where it is, how something breaks there behind the app's back."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests
from pydantic import SecretStr

from cli.vm_slot import ensure_slot
from shared.clients.container_apps.names import app_name, suffix_of
from shared.clients.container_registry import ContainerRegistryClient
from shared.clients.registry_login import PasswordLogin
from shared.clients.serving_targets import TargetServices, vm
from shared.clients.serving_targets.container_apps import Settings, connect
from shared.clients.smoke_samples import SmokeSamples
from shared.clients.ssh import connected
from shared.deployment_target import DeploymentTarget
from shared.errors import Code, PermanentError, TransientError
from shared.messages.serving import PlannedRelease, ReleaseState, Serving, ServingPlan, ServingResources
from tests.support.azure_arm import AzureArm, running_azure_arm
from tests.support.podman import missing_podman
from tests.support.scoring_image import ImageRegistry
from tests.support.service_process import eventually
from tests.support.serving_host import ServingHost, missing_programs, running_serving_host

SMALL = ServingResources(memory="64m", cpus=0.25)


class Machinery(Protocol):
    """What runs below a target."""

    @property
    def registry(self) -> ImageRegistry: ...

    def target(self, services: TargetServices) -> DeploymentTarget: ...

    def prepare(self, pipeline: str) -> None: ...

    def lose(self, pipeline: str, release: PlannedRelease) -> None:
        """Take a release away, as nobody should."""

    def containers(self, pipeline: str) -> list[str]: ...

    def clear(self, pipeline: str) -> None: ...


@dataclass
class Cloud:
    """Container Apps."""

    arm: AzureArm

    @property
    def registry(self) -> ImageRegistry:
        return self.arm.registry

    def settings(self, **other: Any) -> Settings:
        who = self.arm.endpoints
        return Settings(
            subscription_id=who["subscription_id"],
            resource_group=who["resource_group"],
            environment_id=who["environment_id"],
            location=who["location"],
            registry=self.registry.address,
            pull_username=self.registry.username,
            pull_password=SecretStr(self.registry.password),
            tenant_id=who["tenant_id"],
            client_id=who["client_id"],
            client_secret=SecretStr(who["client_secret"]),
            url=who["url"],
            authority=who["authority"],
            ca_bundle=who["ca_bundle"],
            **other,
        )

    def target(self, services: TargetServices) -> DeploymentTarget:
        return connect("cloud", self.settings(), services)

    def prepare(self, pipeline: str) -> None:
        """Nothing has to be."""

    def lose(self, pipeline: str, release: PlannedRelease) -> None:
        app, sdk = app_name("", pipeline), self.arm.sdk()
        name = f"{app}--{suffix_of(release)}"
        sdk.container_apps_revisions.deactivate_revision("edgetrain", app, name)
        eventually(lambda: f"aca-{name}" not in self.arm.containers())

    def containers(self, pipeline: str) -> list[str]:
        return sorted(each for each in self.arm.containers() if each.startswith(f"aca-{app_name('', pipeline)}--"))

    def clear(self, pipeline: str) -> None:
        self.arm.sdk().container_apps.begin_delete("edgetrain", app_name("", pipeline)).result()


@dataclass
class Hub:
    """A VM."""

    host: ServingHost

    @property
    def registry(self) -> ImageRegistry:
        return self.host.registry

    def target(self, services: TargetServices) -> DeploymentTarget:
        return vm.connect("hub", self.host.target, services)

    def prepare(self, pipeline: str) -> None:
        with connected(self.host.target) as session:
            ensure_slot(session, pipeline, say=lambda _: None)

    def lose(self, pipeline: str, release: PlannedRelease) -> None:
        for name in self.containers(pipeline):
            image = self.host.podman("container", "inspect", "--format", "{{.ImageName}}", name).strip()
            if image == release.image:
                self.host.podman("rm", "--force", "--time", "0", name)

    def containers(self, pipeline: str) -> list[str]:
        return [name for name in self.host.containers() if name.startswith(f"edgetrain-{pipeline}-")]

    def clear(self, pipeline: str) -> None:
        for name in self.containers(pipeline):
            self.host.podman("rm", "--force", "--time", "0", name)


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    if why := missing_programs():
        pytest.skip(why)
    with running_serving_host(tmp_path_factory.mktemp("vm")) as running:
        yield Hub(running)


@pytest.fixture(scope="package")
def cloud() -> Iterator[Cloud]:
    if why := missing_podman("haproxy", "docker-registry"):
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="aca-"))
    try:
        with running_azure_arm(folder) as running:
            yield Cloud(running)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Place:
    """A pipeline at a target, and what the app does there."""

    machinery: Machinery
    pipeline: str
    untrusted: set[str] = field(default_factory=set)
    _target: DeploymentTarget | None = None

    @property
    def target(self) -> DeploymentTarget:
        if self._target is None:
            registry = self.machinery.registry
            url = f"http://{registry.address}"
            client = ContainerRegistryClient(url, PasswordLogin(url, registry.username, registry.password))
            services = TargetServices(trusted=self._trusted, smoke_sample=SmokeSamples(client))
            self._target = self.machinery.target(services)
        return self._target

    def _trusted(self, image: str) -> None:
        if image in self.untrusted:
            raise PermanentError("nobody signed it", code=Code.SIGNATURE_REFUSED)

    def release(self, version: int, resources: ServingResources = SMALL, **behaviour: Any) -> PlannedRelease:
        """A run's image, pushed; without weight."""
        image = self.machinery.registry.push(f"models/{self.pipeline}", version=version, **behaviour)
        return PlannedRelease(run_id=f"{self.pipeline}-run-{version}", image=image, weight=0, resources=resources)

    def plan(self, weights: dict[PlannedRelease, int], based_on: str = "") -> ServingPlan:
        releases = tuple(
            PlannedRelease(run_id=each.run_id, image=each.image, weight=weight, resources=each.resources)
            for each, weight in weights.items()
        )
        return ServingPlan(target="t", pipeline=self.pipeline, releases=releases, based_on=based_on)

    def observe(self) -> Serving:
        return self.target.observe(self.pipeline)

    def reach(
        self,
        weights: dict[PlannedRelease, int],
        until: Callable[[Serving], bool] | None = None,
        *,
        seconds: float = 300,
    ) -> Serving:
        """Apply a plan and observe, again and again, as a roll-out does, until it is so."""
        plan = self.plan(weights)
        condition = until or (lambda serving: fulfilled(serving, plan))

        def look() -> Serving | None:
            try:
                self.target.apply(plan)
                serving = self.observe()
            except TransientError:
                return None
            return serving if condition(serving) else None

        reached = eventually(look, seconds=seconds)
        assert reached is not None
        return reached

    def scores(self, number: int = 1) -> list[tuple[int, Any]]:
        """Answers of the endpoint: status, and the version of the model (None for errors of others)."""
        endpoint = self.observe().endpoint
        answers = [requests.post(f"{endpoint}/score", json={"data": [1, 2.5]}, timeout=30) for _ in range(number)]
        return [(each.status_code, each.json().get("version") if each.ok else None) for each in answers]


def fulfilled(serving: Serving, plan: ServingPlan) -> bool:
    """Whether all that a plan names is healthy with its weight, and nothing else is there."""
    seen = {each.run_id: each for each in serving.releases}
    return set(seen) == {each.run_id for each in plan.releases} and all(
        seen[each.run_id].state is ReleaseState.HEALTHY and seen[each.run_id].weight == each.weight
        for each in plan.releases
    )


@pytest.fixture(params=["vm", "container_apps"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    machinery: Machinery = request.getfixturevalue({"container_apps": "cloud", "vm": "hub"}[request.param])
    name = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_"))[:28].strip("-")
    machinery.prepare(name)
    yield Place(machinery, name)
    machinery.clear(name)
