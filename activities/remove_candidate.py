"""Remove a candidate that will not go live, after a roll-out that failed."""

from contextlib import AbstractContextManager
from typing import Protocol

from shared.messages import CandidateStep, Done
from shared.serving.containers import Container
from shared.serving.slots import Colour, Slot


class Vm(Protocol):
    """The operations on a VM that removing a candidate needs."""

    def locked(self, pipeline: str) -> AbstractContextManager[None]:
        """Hold the pipeline's lock on the VM, so that no other roll-out of it runs there."""

    def slot(self, pipeline: str) -> Slot:
        """The pipeline's slot file."""

    def container(self, name: str) -> Container | None:
        """The state of a container; None when there is none."""

    def take_out(self, pipeline: str, colour: Colour) -> None:
        """Make sure that a colour gets no traffic."""

    def remove_container(self, name: str) -> None:
        """Stop and remove a container; no error when there is none."""


class Vms(Protocol):
    """Opens connections to VMs."""

    def open(self, target: str) -> AbstractContextManager[Vm]:
        """A connection to the VM of a target, for a ``with`` block."""


def remove_candidate(step: CandidateStep, *, vms: Vms) -> Done:
    """Stop and remove this run's candidate, whichever step its roll-out reached.

    Containers that are live or were live before, and candidates of other runs, are not touched.
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
