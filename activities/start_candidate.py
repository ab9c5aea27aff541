"""Start a candidate container beside the live one, without traffic."""

from contextlib import AbstractContextManager
from typing import Protocol

from shared.messages import Candidate, Rollout
from shared.serving.containers import Container, ContainerSpec, container_name, spec_for
from shared.serving.slots import Colour, Deployment, Slot


class Vm(Protocol):
    """The operations on a VM that starting a candidate needs."""

    def locked(self, pipeline: str) -> AbstractContextManager[None]:
        """Hold the pipeline's lock on the VM, so that no other roll-out of it runs there."""

    def slot(self, pipeline: str) -> Slot:
        """The pipeline's slot file; raises ``PermanentError`` when the VM was not prepared for the pipeline."""

    def container(self, name: str) -> Container | None:
        """The state of a container; None when there is none."""

    def pull(self, image: str) -> None:
        """Pull an image onto the VM."""

    def take_out(self, pipeline: str, colour: Colour) -> None:
        """Make sure that a colour gets no traffic."""

    def remove_container(self, name: str) -> None:
        """Stop and remove a container; no error when there is none."""

    def start_container(self, spec: ContainerSpec) -> None:
        """Start a container."""


class Vms(Protocol):
    """Opens connections to VMs."""

    def open(self, target: str) -> AbstractContextManager[Vm]:
        """A connection to the VM of a target, for a ``with`` block."""


def start_candidate(rollout: Rollout, *, vms: Vms) -> Candidate:
    """Start the image at the idle colour, once per run: a repeat finds the container that the first call started.

    The container that was at the idle colour (the previous release, or the rest of an earlier roll-out) is removed only
    after the new image was pulled. When the image is live for this run already, nothing is started.
    """
    with vms.open(rollout.target) as vm, vm.locked(rollout.pipeline):
        slot = vm.slot(rollout.pipeline)
        if slot.active is not None and slot.live == Deployment(run_id=rollout.run_id, image=rollout.image):
            live = vm.container(container_name(rollout.pipeline, slot.active))
            if _runs(live, rollout):
                return _candidate(slot, slot.active, already_live=True)

        colour = slot.idle
        name = container_name(rollout.pipeline, colour)
        if not _runs(vm.container(name), rollout):
            vm.pull(rollout.image)
            # A switch that was interrupted may have left traffic on this colour.
            vm.take_out(rollout.pipeline, colour)
            vm.remove_container(name)
            vm.start_container(spec_for(rollout, colour=colour, port=slot.ports[colour]))
        return _candidate(slot, colour, already_live=False)


def _runs(container: Container | None, rollout: Rollout) -> bool:
    return container is not None and container.belongs_to(rollout) and container.status == "running"


def _candidate(slot: Slot, colour: Colour, *, already_live: bool) -> Candidate:
    name = container_name(slot.pipeline, colour)
    return Candidate(name=name, colour=colour, port=slot.ports[colour], already_live=already_live)
