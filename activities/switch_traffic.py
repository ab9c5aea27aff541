"""Move traffic from what is live to the candidate, without a request lost."""

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
    """What switching needs of a VM."""

    def locked(self, pipeline: str) -> AbstractContextManager[None]:
        """Keep other roll-outs of this pipeline off the VM."""

    def slot(self, pipeline: str) -> Slot:
        """The pipeline's slot."""

    def save_slot(self, slot: Slot) -> None:
        """Replace the slot in one step."""

    def container(self, name: str) -> Container | None:
        """What is known of a container."""

    def bring_in(self, pipeline: str, colour: Colour) -> bool:
        """Send traffic to a colour once the proxy's health check passed; False when it did not in time."""

    def take_out(self, pipeline: str, colour: Colour) -> None:
        """Send no more traffic to a colour, and let requests under way end."""

    def write_config(self, slot: Slot) -> None:
        """Make the proxy's configuration keep the slot's choice over a restart."""

    def endpoint(self, slot: Slot) -> str:
        """Where clients score."""


class Vms(Protocol):
    """Where VMs come from."""

    def open(self, target: str) -> AbstractContextManager[Vm]:
        """A connection to the VM of a target."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def switch_traffic(step: CandidateStep, *, vms: Vms, now: Callable[[], datetime] = _utc_now) -> Release:
    """Make the candidate live; what was live keeps running without traffic, until the next roll-out.

    Both serve for a moment, then the slot file is replaced, which is the commit point: before it a repetition starts
    over, after it a repetition only makes configuration and proxy follow, and counts no second switch.
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
            # Recorded as live, but the proxy lost it, for example by a restart between record and configuration.
            raise TransientError(f"{step.candidate.name} on {rollout.target} is live, but fails its health check")
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
