"""One serving VM for the module's tests; each test prepares a pipeline of its own on it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from activities.remove_candidate import remove_candidate
from activities.start_candidate import start_candidate
from activities.switch_traffic import switch_traffic
from activities.verify_candidate import verify_candidate
from cli.vm_slot import ensure_slot
from shared.clients.serving_vm import ServingVms
from shared.clients.ssh import connected
from shared.clients.vm_serving.settings import VmSettings
from shared.errors import Code, PermanentError
from shared.messages import CandidateStep, Done, Release, Rollout
from shared.serving.slots import Slot, parse_slot
from tests.support.serving_host import ServingHost, missing_programs, running_serving_host
from tests.support.serving_place import Place


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingHost]:
    if reason := missing_programs():
        pytest.skip(reason)
    with running_serving_host(tmp_path_factory.mktemp("vm")) as running:
        yield running


class Site:
    """One pipeline on the VM, driven as ``roll_out`` drives it."""

    def __init__(self, host: ServingHost, pipeline: str) -> None:
        self.host = host
        self.pipeline = pipeline
        self.vms = ServingVms(self._target)
        self.said: list[str] = []
        self.prepare()

    def _target(self, name: str) -> VmSettings:
        assert name == "vm"
        return self.host.target

    def prepare(self) -> None:
        with connected(self.host.target) as session:
            ensure_slot(session, self.pipeline, say=self.said.append)

    @property
    def slot(self) -> Slot:
        return parse_slot((self.host.home / f"serving/{self.pipeline}.json").read_text(encoding="utf-8"))

    @property
    def url(self) -> str:
        return f"http://{self.slot.bind}:{self.slot.frontend_port}"

    def config(self) -> str:
        return (self.host.home / f"serving/conf.d/{self.pipeline}.cfg").read_text(encoding="utf-8")

    def rollout(self, version: int, *, health_seconds: float = 30, **behaviour: Any) -> Rollout:
        image = self.host.registry.push(f"models/{self.pipeline}", version=version, **behaviour)
        run_id = f"{self.pipeline}-run-{version}"
        return Rollout(run_id=run_id, pipeline=self.pipeline, target="vm", image=image, health_seconds=health_seconds)

    def start(self, rollout: Rollout) -> CandidateStep:
        return CandidateStep(rollout=rollout, candidate=start_candidate(rollout, vms=self.vms))

    def verify(self, step: CandidateStep) -> Done:
        return verify_candidate(step, vms=self.vms)

    def switch(self, step: CandidateStep) -> Release:
        return switch_traffic(step, vms=self.vms)

    def remove(self, step: CandidateStep) -> None:
        remove_candidate(step, vms=self.vms)

    def release(self, version: int, **behaviour: Any) -> CandidateStep:
        step = self.start(self.rollout(version, **behaviour))
        self.verify(step)
        self.switch(step)
        return step

    def refuses(self, doing: Callable[[], object]) -> str:
        with pytest.raises(PermanentError) as caught:
            doing()
        assert caught.value.code is Code.CANDIDATE_FAILED
        return caught.value.reason


@pytest.fixture
def site(host: ServingHost, request: pytest.FixtureRequest) -> Iterator[Site]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[-40:].strip("-")
    yield Site(host, name)
    for container in host.containers():
        if container.startswith(f"edgetrain-{name}-"):
            host.podman("rm", "--force", "--time", "0", container)


@pytest.fixture
def place(host: ServingHost, request: pytest.FixtureRequest) -> Iterator[Place]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[-30:].strip("-")
    found = Place(host, name)
    yield found
    found.pipeline = name
    found.connect().apply(found.plan())
