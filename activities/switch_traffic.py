"""Switch traffic from the live container to the candidate without losing a request."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from shared.errors import TransientError
from shared.messages import CandidateStep, Release
from shared.serving.containers import Container
from shared.serving.endings import candidate_failed
from shared.serving.slots import Colour, Deployment, Slot


class Vm(Protocol):
    """The operations on a VM that switching traffic needs."""

    def locked(self, pipeline: str) -> AbstractContextManager[None]:
        """Hold the pipeline's lock on the VM, so that no other roll-out of it runs there."""

    def slot(self, pipeline: str) -> Slot:
        """The pipeline's slot file."""

    def save_slot(self, slot: Slot) -> None:
        """Replace the slot file atomically."""

    def container(self, name: str) -> Container | None:
        """The state of a container; None when there is none."""

    def bring_in(self, pipeline: str, colour: Colour) -> bool:
        """Send traffic to a colour once the proxy's health check passed; False when it did not pass in time."""

    def take_out(self, pipeline: str, colour: Colour) -> None:
        """Send no more requests to a colour, and wait for those under way to end."""

    def write_config(self, slot: Slot) -> None:
        """Write the slot's choice into the proxy's configuration, so that it survives a restart."""

    def endpoint(self, slot: Slot) -> str:
        """The address at which clients score."""


class Vms(Protocol):
    """Opens connections to VMs."""

    def open(self, target: str) -> AbstractContextManager[Vm]:
        """A connection to the VM of a target, for a ``with`` block."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def switch_traffic(step: CandidateStep, *, vms: Vms, now: Callable[[], datetime] = _utc_now) -> Release:
    """Make the candidate live; the previous container keeps running without traffic until the next roll-out.

    Both get traffic for a moment; then the slot file is replaced, which is the commit point. A repeat before it starts
    over; a repeat after it only brings configuration and proxy in line, and does not count as a second switch.
    """
    rollout, colour = step.rollout, Colour(step.candidate.colour)
    wanted = Deployment(run_id=rollout.run_id, image=rollout.image)
    with vms.open(rollout.target) as vm, vm.locked(rollout.pipeline):
        slot = vm.slot(rollout.pipeline)
        if not slot.serves(wanted, colour):
            _bring_in(step, vm, colour)
            slot = slot.switched(wanted, colour, at=now())
            vm.save_slot(slot)
        elif not vm.bring_in(rollout.pipeline, colour):
            # The slot file has it as live and the proxy does not, for example after a restart between the two writes.
            cause = f"{step.candidate.name} on {rollout.target} is live, but fails its health check"
            raise TransientError(f"{cause}; if this goes on, read the container's log on the VM")
        vm.write_config(slot)
        vm.take_out(rollout.pipeline, colour.other)
        return Release(endpoint=vm.endpoint(slot))


def _bring_in(step: CandidateStep, vm: Vm, colour: Colour) -> None:
    container = vm.container(step.candidate.name)
    if container is None or not container.belongs_to(step.rollout) or not container.alive:
        raise candidate_failed(step, "is not running any more; start the run again")
    if not vm.bring_in(step.rollout.pipeline, colour):
        vm.take_out(step.rollout.pipeline, colour)
        raise candidate_failed(
            step, "failed the proxy's health check, so it gets no traffic; what served before keeps serving"
        )
