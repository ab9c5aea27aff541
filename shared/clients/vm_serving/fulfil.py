"""Makes a VM follow a plan: containers first, then traffic, then the removal of what is not wanted.

Every step is safe to repeat, and a crash after any of them leaves at least the traffic where it was: the slot file is
written before a container changes, and after the traffic to a newcomer is proven to work. The next ``apply`` goes on.
"""

from collections.abc import Callable
from datetime import datetime

from shared.clients.serving_vm import BRING_IN_SECONDS, DRAIN_SECONDS, ServingVm
from shared.clients.vm_networks import network_name
from shared.clients.vm_serving.examine import Examiner
from shared.errors import Code, PermanentError, TransientError
from shared.messages.serving import PlannedRelease, ReleaseState, ServingPlan
from shared.serving.containers import ContainerSpec, container_name, container_of
from shared.serving.slots import Colour, Slot


class Fulfilment:
    """One ``apply`` on a VM, under the pipeline's lock."""

    def __init__(
        self,
        vm: ServingVm,
        slot: Slot,
        *,
        target: str,
        keep_releases: int,
        trusted: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._vm = vm
        self._slot = slot
        self._target = target
        self._keep = keep_releases
        self._trusted = trusted
        self._now = now

    def apply(self, plan: ServingPlan) -> None:
        """Take the plan, and fulfil it as far as it goes now. Raises only when nothing of it was taken."""
        self._take(plan)
        self._load()
        self._place()
        for colour in list(self._slot.places):
            self._keep_running(colour)
        if self._may_move():
            self._move()
        self._align()
        for colour in self._slot.surplus():
            self._vacate(colour)
        self._clear_images()

    def _take(self, plan: ServingPlan) -> None:
        slot = self._slot
        if not slot.takes(plan):
            reason = (
                f"{self._target}: this plan for {plan.pipeline} was made for revision {plan.based_on}, and revision "
                f"{slot.revision} is there now, by somebody else's plan; observe the target, and plan again"
            )
            raise PermanentError(reason, code=Code.STALE_PLAN)
        missing = [release for release in plan.releases if not self._has_container(release)]
        for release in missing:
            self._require_trust(release.image)
        for release in missing:
            self._vm.pull(release.image)
        self._save(slot.taken(plan))

    def _has_container(self, release: PlannedRelease) -> bool:
        colour = self._slot.colour_of(release)
        if colour is None:
            return False
        container = self._vm.container(container_name(self._slot.pipeline, colour))
        return container is not None and container.holds(release)

    def _require_trust(self, image: str) -> None:
        """Verify the signature; where nobody can be asked, what was verified before and is still here will do."""
        try:
            self._trusted(image)
        except TransientError:
            known = {each.image for each in self._slot.kept}
            known |= {each.image for each in self._slot.places.values()}
            if image not in known or not self._vm.has_image(image):
                raise

    def _load(self) -> None:
        """A slot that an older app made is loaded in today's form first; weights and containers stay."""
        if not self._vm.haproxy.loaded(self._slot.pipeline):
            self._vm.haproxy.write_config(self._slot)
            self._vm.haproxy.reload(self._slot.pipeline)

    def _place(self) -> None:
        for release in self._slot.unplaced():
            colour = self._slot.free()
            if colour is None:
                self._squeeze()
                colour = self._slot.free()
            if colour is None:
                return  # both colours are needed; the next apply has room, when traffic has moved
            # A change that was interrupted may have left traffic on this colour.
            self._empty(colour)
            self._save(self._slot.placed(release, colour))
            self._vm.haproxy.write_config(self._slot)
            self._vm.haproxy.say_of(self._slot)

    def _squeeze(self) -> None:
        """Two releases that are not wanted share the traffic, and a third is to get it: one takes it all meanwhile."""
        squeezed = self._slot.squeezed()
        states = self._vm.haproxy.servers(self._slot.pipeline)
        if squeezed is not self._slot and squeezed.active is not None and states[squeezed.active].up:
            self._save(squeezed)
            self._align()

    def _keep_running(self, colour: Colour) -> None:
        release, spec = self._slot.places[colour], self._spec(colour)
        if colour in self._slot.surplus():
            return
        container = self._vm.container(spec.name)
        if container is None or not container.holds(release):
            if self._vm.has_image(release.image):
                self._vm.remove_container(spec.name)
                self._vm.run_container(spec)
        elif container.status != "running" and (release.weight > 0 or not container.died):
            self._vm.start_again(spec)

    def _may_move(self) -> bool:
        """Whether every release that is to get traffic can have it: those without any yet have been seen healthy."""
        slot = self._slot
        if slot.wanted and not any(release.weight for release in slot.wanted):
            return slot.active is None  # nothing is to serve yet, so what serves stays
        examiner = Examiner(self._vm, slot, target=self._target, now=self._now)
        for release in slot.wanted:
            colour = slot.colour_of(release)
            if release.weight == 0 or colour is None or slot.weight(colour) > 0:
                continue
            if examiner.examine(colour).state is not ReleaseState.HEALTHY:
                return False
        # One that has no colour yet waits until traffic has left one.
        return not slot.wanted or any(release.weight and slot.colour_of(release) for release in slot.wanted)

    def _move(self) -> None:
        """Let newcomers in, then write the slot file, which is the commit point; the rest follows in ``_align``."""
        slot = self._slot
        moved = slot.weighted(at=self._now())
        if moved == slot:
            return
        new = [colour for colour in moved.places if moved.weight(colour) > 0 and slot.weight(colour) == 0]
        for colour in new:
            self._vm.haproxy.set_weight(slot.pipeline, colour, moved.weight(colour))
            if not self._vm.haproxy.bring_in(slot.pipeline, colour, seconds=BRING_IN_SECONDS):
                for each in new:
                    self._vm.haproxy.take_out(slot.pipeline, each, seconds=0)
                return
        self._save(moved)

    def _align(self) -> None:
        """Bring HAProxy's files and its runtime state in line with the slot."""
        slot, haproxy = self._slot, self._vm.haproxy
        haproxy.write_config(slot)
        haproxy.say_of(slot)
        states = haproxy.servers(slot.pipeline)
        for colour in sorted(Colour, key=slot.weight, reverse=True):  # in before out
            weight, state = slot.weight(colour), states[colour]
            if weight == 0:
                if not state.out:
                    haproxy.take_out(slot.pipeline, colour, seconds=DRAIN_SECONDS)
                continue
            if state.weight != weight:
                haproxy.set_weight(slot.pipeline, colour, weight)
            if state.kept_out:
                haproxy.admit(slot.pipeline, colour)

    def _vacate(self, colour: Colour) -> None:
        self._empty(colour)
        self._save(self._slot.vacated(colour))
        self._vm.haproxy.write_config(self._slot)
        self._vm.haproxy.say_of(self._slot)

    def _empty(self, colour: Colour) -> None:
        """Nothing at a colour: no traffic, no container, no network."""
        spec = self._spec_of_nothing(colour)
        self._vm.haproxy.take_out(self._slot.pipeline, colour, seconds=DRAIN_SECONDS)
        self._vm.remove_container(spec[0])
        self._vm.remove_network(*spec[1:])

    def _clear_images(self) -> None:
        self._save(self._slot.keeping(self._keep))
        self._save(self._slot.cleared([image for image in self._slot.leaving if self._vm.remove_image(image)]))

    def _spec(self, colour: Colour) -> ContainerSpec:
        slot = self._slot
        _, network, port = self._spec_of_nothing(colour)
        return container_of(slot.pipeline, slot.places[colour], colour=colour, port=port, network=network)

    def _spec_of_nothing(self, colour: Colour) -> tuple[str, str, int]:
        name, port = container_name(self._slot.pipeline, colour), self._slot.ports[colour]
        return name, network_name(name, port), port

    def _save(self, slot: Slot) -> None:
        if slot != self._slot:
            self._vm.save_slot(slot)
            self._slot = slot
