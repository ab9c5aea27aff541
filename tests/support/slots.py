"""A serving slot as ``edgetrain prepare-vm`` makes it, and how plans move its traffic."""

from datetime import datetime

from shared.messages import PlannedRelease, ServingPlan
from shared.serving.slots import Colour, Deployment, Slot


def a_slot(pipeline: str = "p") -> Slot:
    return Slot(
        pipeline=pipeline, bind="127.0.0.1", frontend_port=20000, ports={Colour.BLUE: 20001, Colour.GREEN: 20002}
    )


def switched_to(slot: Slot, deployment: Deployment, *, at: datetime) -> Slot:
    """The slot after all traffic moved to a release; the one before stays beside it without any."""
    new = PlannedRelease(run_id=deployment.run_id, image=deployment.image, weight=100)
    before = slot.places[slot.active] if slot.active is not None else None
    beside = () if before is None or slot.live == deployment else (before,)
    releases = (new, *(PlannedRelease(run_id=each.run_id, image=each.image, weight=0) for each in beside))
    slot = slot.taken(ServingPlan(target="vm", pipeline=slot.pipeline, releases=releases))
    for release in slot.unplaced():
        colour = slot.free()
        assert colour is not None
        slot = slot.placed(release, colour)
    return slot.weighted(at=at)
