"""Remove a candidate that will not be live."""

from contextlib import AbstractContextManager
from typing import Protocol

from shared.messages import CandidateStep, Done
from shared.serving.containers import Container
from shared.serving.slots import Colour, Slot


class Vm(Protocol):
    """What removing a candidate needs of a VM."""

    def locked(self, pipeline: str) -> AbstractContextManager[None]:
        """Keep other roll-outs of this pipeline off the VM."""

    def slot(self, pipeline: str) -> Slot:
        """The pipeline's slot."""

    def container(self, name: str) -> Container | None:
        """What is known of a container."""

    def take_out(self, pipeline: str, colour: Colour) -> None:
        """Make sure that a colour gets no traffic."""

    def remove_container(self, name: str) -> None:
        """Stop and remove a container; none is fine."""


class Vms(Protocol):
    """Where VMs come from."""

    def open(self, target: str) -> AbstractContextManager[Vm]:
        """A connection to the VM of a target."""


def remove_candidate(step: CandidateStep, *, vms: Vms) -> Done:
    """Stop and remove the candidate of this run, wherever its roll-out stopped.

    Leaves alone what is live, what was live before, and what another run has put in its place meanwhile.
    """
    rollout, colour = step.rollout, Colour(step.candidate.colour)
    with vms.open(rollout.target) as vm, vm.locked(rollout.pipeline):
        slot = vm.slot(rollout.pipeline)
        kept = slot.active is colour or (slot.previous is not None and slot.previous.run_id == rollout.run_id)
        container = vm.container(step.candidate.name)
        others = container is not None and not container.belongs_to(rollout)
        if kept or others:
            return Done()
        vm.take_out(rollout.pipeline, colour)
        vm.remove_container(step.candidate.name)
        return Done()
