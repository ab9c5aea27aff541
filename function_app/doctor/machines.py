"""What is seen of the VMs that train and serve: looked at once in an examination, for all checks that go by it."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from function_app.composition import Services
from shared.clients.registry_address import registry_host
from shared.clients.serving_targets import settings_of
from shared.clients.vm_examination import VmFacts, examine_vm
from shared.doctor import Seen, skipped
from shared.doctor.once import Once
from shared.errors import EdgetrainError
from shared.pipelines import Pipeline
from shared.settings import Compute

Judge = Callable[[VmFacts, Services, str], Seen]
Look = Callable[[Services, str], Seen]

VM = "vm"
"""The kind of a target that is a machine."""


class Machines:
    """The facts of each VM, by what it is for. ``only``: of these pipelines, and nothing that the others left there."""

    def __init__(self, only: frozenset[str] | None) -> None:
        self._only = only
        self._once: Once[VmFacts] = Once()

    def trained_on(self, services: Services, compute: str) -> list[Pipeline]:
        """The pipelines that train on a compute."""
        return [each for each in trained_on(services, compute) if self._only is None or each.name in self._only]

    def compute(self, services: Services, name: str) -> VmFacts:
        """A VM that trains."""
        host = services.settings.compute(name)
        question = question_for(services, host, self.trained_on(services, name))
        listed = self._only is None
        return self._once(("compute", name), lambda: examine_vm(host, serves=False, question=question, listed=listed))

    def target(self, services: Services, name: str) -> VmFacts:
        """A VM that serves."""
        host = settings_of(name, services.settings.target(name))
        return self._once(("target", name), lambda: examine_vm(host, serves=True))

    def on_compute(self, judge: Judge) -> Look:
        """A check of a VM that trains; one that was not reached is named by ``compute.login``."""

        def look(services: Services, name: str) -> Seen:
            try:
                facts = self.compute(services, name)
            except EdgetrainError:
                return skipped("the VM was not seen, see compute.login")
            if not facts.whole:
                return skipped("the VM was not seen to the end, see compute.login")
            return judge(facts, services, name)

        return look

    def on_target(self, judge: Judge) -> Look:
        """A check of a VM that serves; one that was not reached is named by ``target.reached``."""

        def look(services: Services, name: str) -> Seen:
            try:
                if services.settings.target(name).kind != VM:
                    return skipped("there is no machine to look at")
                facts = self.target(services, name)
            except EdgetrainError:
                return skipped("the VM was not seen, see target.reached")
            if not facts.whole:
                return skipped("the VM was not seen to the end, see target.reached")
            return judge(facts, services, name)

        return look

    def on_job(self, judge: Callable[[Mapping[str, Any], Services, str], Seen]) -> Look:
        """A check that goes by what the installed job says; one that does not answer is named by ``compute.job``."""

        def of_facts(facts: VmFacts, services: Services, name: str) -> Seen:
            if isinstance(facts.job, EdgetrainError) or "version" not in facts.job:
                return skipped("the job was not asked, see compute.job")
            return judge(facts.job, services, name)

        return self.on_compute(of_facts)


def trained_on(services: Services, compute: str) -> list[Pipeline]:
    """The pipelines that train on a compute."""
    return [each for each in services.pipelines.all if each.train.compute == compute]


def served_by(services: Services, target: str) -> list[Pipeline]:
    """The pipelines that a target serves."""
    return [each for each in services.pipelines.all if any(place.name == target for place in each.deliver.targets)]


def question_for(services: Services, compute: Compute, pipelines: list[Pipeline]) -> Mapping[str, Any]:
    """What the job on a VM is asked: references, and a digest of the credentials that it should have."""
    return {
        "registry": registry_host(services.settings.container_registry.url),
        "credentials": _digest(compute),
        "pipelines": {each.name: _question_of(each) for each in pipelines},
    }


def _digest(compute: Compute) -> str:
    if not compute.pull_username:
        return ""
    pair = f"{compute.pull_username}:{compute.pull_password.get_secret_value()}"
    return hashlib.sha256(pair.encode()).hexdigest()


def _question_of(pipeline: Pipeline) -> Mapping[str, Any]:
    data, resources = pipeline.data, pipeline.train.resources
    return {
        "site": data.site,
        "container": data.container,
        "prefix": data.prefix,
        "holdout": data.holdout,
        "model_format": pipeline.model.format.value,
        "seconds": int(pipeline.train.running_limit_seconds),
        "resources": {
            "memory": resources.memory,
            "cpus": resources.cpus,
            "gpus": resources.gpus,
            "disk": resources.disk,
        },
    }
