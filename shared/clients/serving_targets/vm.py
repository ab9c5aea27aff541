"""A VM that serves from containers behind HAProxy, over SSH; ``edgetrain prepare-vm`` makes its slots."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from shared.clients.serving_targets import TargetServices
from shared.clients.serving_vm import ServingVm
from shared.clients.ssh import connected
from shared.clients.vm_serving.examine import Examiner, Finding
from shared.clients.vm_serving.fulfil import Fulfilment
from shared.clients.vm_serving.settings import VmSettings as Settings
from shared.messages.serving import ObservedRelease, ReleaseState, Serving, ServingPlan
from shared.serving.haproxy import ServerState, shares
from shared.serving.slots import Colour, Slot

_NO_SERVER = ServerState(status="MAINT", sessions=0, weight=0)  # of a backend that HAProxy does not have


def _utc_now() -> datetime:
    return datetime.now(UTC)


class VmTarget:
    """The target: one SSH connection for each call, and on the VM a lock for each pipeline while a plan is applied."""

    def __init__(
        self, name: str, settings: Settings, services: TargetServices, *, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._name = name
        self._settings = settings
        self._services = services
        self._now = now

    def apply(self, plan: ServingPlan) -> None:
        """Make it so, or as far as it goes now; traffic moves with a later call when a newcomer is not healthy yet."""
        with connected(self._settings) as session:
            vm = ServingVm(session, self._settings)
            with vm.locked(plan.pipeline):
                fulfilment = Fulfilment(
                    vm,
                    vm.slot(plan.pipeline),
                    target=self._name,
                    keep_releases=self._settings.keep_releases,
                    trusted=self._services.trusted,
                    now=self._now,
                )
                fulfilment.apply(plan)

    def observe(self, pipeline: str) -> Serving:
        """What is there for the pipeline now; nothing when the VM was not prepared for it."""
        with connected(self._settings) as session:
            vm = ServingVm(session, self._settings)
            if not vm.has_slot(pipeline):
                return Serving(target=self._name, pipeline=pipeline)
            slot = vm.slot(pipeline)
            states = vm.haproxy.servers_seen(pipeline) or dict.fromkeys(Colour, _NO_SERVER)
            examiner = Examiner(vm, slot, target=self._name, now=self._now)
            found = {colour: examiner.examine(colour) for colour in slot.places}
            return Serving(
                target=self._name,
                pipeline=pipeline,
                releases=_observed(slot, states, found),
                revision=str(slot.revision),
                endpoint=vm.endpoint(slot),
                kept=tuple(each.run_id for each in slot.kept),
            )


def _observed(
    slot: Slot, states: Mapping[Colour, ServerState], found: Mapping[Colour, Finding]
) -> tuple[ObservedRelease, ...]:
    # While no server is up nothing gets traffic; then the weights are those that each would get once it is well.
    waiting_for = {each: 0 if states[each].kept_out else slot.weight(each) for each in Colour}
    weights = shares(states) if any(state.up for state in states.values()) else waiting_for
    there = [
        ObservedRelease(
            run_id=release.run_id,
            image=release.image,
            state=found[colour].state,
            weight=weights[colour],
            requests=states[colour].requests,
            errors=states[colour].errors,
            latency_ms=states[colour].latency_ms,
            since=found[colour].since,
            trouble=found[colour].trouble,
            final=found[colour].final,
            resources=release.resources,
            model=release.model,
            version=release.version,
        )
        for colour, release in slot.places.items()
    ]
    # These wait for a colour, which traffic leaves first.
    waiting = [
        ObservedRelease(
            run_id=release.run_id,
            image=release.image,
            state=ReleaseState.PULLING,
            resources=release.resources,
            model=release.model,
            version=release.version,
        )
        for release in slot.unplaced()
    ]
    return (*there, *waiting)


def connect(name: str, settings: Settings, services: TargetServices) -> VmTarget:
    """The VM of that name."""
    return VmTarget(name, settings, services)
