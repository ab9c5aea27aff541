"""The serving slot of a pipeline on a VM: two colours behind one frontend, and what each of them holds.

The slot file ``~/serving/<pipeline>.json`` is the truth about what serves; HAProxy's configuration, its runtime state
and the containers are derived from it. Writing it is the commit point of every change. A slot is changed by the rules
here alone, which are pure; :mod:`shared.clients.vm_serving` makes the VM follow.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.messages.serving import PlannedRelease, ServingPlan
from shared.values.wire import from_wire, to_wire

SWITCHES_KEPT = 50
ALL = 100
SCHEMA = 2


class Colour(StrEnum):
    """The two places of a slot; each holds a release, or nothing."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Colour":
        """The colour that this one is not."""
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An image, and the run that made it."""

    run_id: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One change of what gets all of the traffic. ``number`` counts from 1 and never repeats within a slot."""

    number: int
    run_id: str
    image: str
    colour: Colour
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A pipeline's place on a VM. ``bind`` is the VM's own address that the frontend listens on.

    ``wanted``: the releases of the plan that was taken last; ``revision`` counts the plans. ``places``: what each
    colour holds, with the weight that it has now, which is not what is wanted until the release is healthy. ``kept``:
    releases that had all of the traffic here, newest first, whose images are still there. ``leaving``: images that
    nobody needs any more, and that are still to be removed. ``switches`` holds the newest
    :data:`SWITCHES_KEPT` ones, oldest first.
    """

    pipeline: str
    bind: str
    frontend_port: int
    ports: dict[Colour, int]
    wanted: tuple[PlannedRelease, ...] = ()
    revision: int = 0
    places: dict[Colour, PlannedRelease] = field(default_factory=dict)
    kept: tuple[Deployment, ...] = ()
    leaving: tuple[str, ...] = ()
    switches: tuple[Switch, ...] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        taken = {self.frontend_port, *self.ports.values()}
        if set(self.ports) != set(Colour) or len(taken) != 3:
            raise ValueError("ports must give blue and green a port each, and all three ports must differ")
        if self.schema > SCHEMA:
            raise ValueError(f"schema {self.schema} was written by a newer app")

    @property
    def active(self) -> Colour | None:
        """The colour with most of the traffic; None when none has any."""
        serving = [colour for colour, release in self.places.items() if release.weight > 0]
        return max(serving, key=lambda colour: self.places[colour].weight, default=None)

    @property
    def live(self) -> Deployment | None:
        """What has most of the traffic."""
        return None if self.active is None else _deployment(self.places[self.active])

    def weight(self, colour: Colour) -> int:
        """The percent of the traffic that a colour has; 0 when it holds nothing."""
        return self.places[colour].weight if colour in self.places else 0

    def colour_of(self, release: PlannedRelease) -> Colour | None:
        """Where a release is, in the same image and with the same resources; None when it is nowhere."""
        return next((colour for colour, there in self.places.items() if _same(there, release)), None)

    def takes(self, plan: ServingPlan) -> bool:
        """Whether the plan was made for what is here now: it is the plan that was taken last, or knows the revision."""
        return plan.releases == self.wanted or plan.based_on in {"", str(self.revision)}

    def taken(self, plan: ServingPlan) -> "Slot":
        """The slot with this plan as what is wanted; the same slot when it is that already."""
        if plan.releases == self.wanted:
            return self
        placed = {release.image for release in self.places.values()}
        never = tuple(release.image for release in self.wanted if release.image not in placed)
        return replace(self, wanted=plan.releases, revision=self.revision + 1, leaving=(*self.leaving, *never))

    def unplaced(self) -> list[PlannedRelease]:
        """What is wanted and has no colour yet; the one with the most traffic first."""
        missing = [release for release in self.wanted if self.colour_of(release) is None]
        return sorted(missing, key=lambda release: -release.weight)

    def free(self) -> Colour | None:
        """A colour that a wanted release may take: without traffic, holding nothing that is wanted. None: none is.

        What is wanted without traffic gives way to a release that is wanted with some, and has its turn after it.
        """
        wanted = {self.colour_of(release): release for release in self.wanted}
        able = [colour for colour in Colour if colour not in wanted and self.weight(colour) == 0]
        if not able and any(release.weight for release in self.unplaced()):
            able = [colour for colour in Colour if self.weight(colour) == 0 and not wanted[colour].weight]
        return min(able, key=lambda colour: colour in self.places, default=None)  # an empty one first

    def placed(self, release: PlannedRelease, colour: Colour) -> "Slot":
        """The slot with a release at a colour, without traffic; what was there is kept."""
        slot = self.vacated(colour)
        kept = tuple(each for each in slot.kept if each.run_id != release.run_id)
        return replace(slot, places={**slot.places, colour: replace(release, weight=0)}, kept=kept)

    def vacated(self, colour: Colour) -> "Slot":
        """The slot with nothing at a colour. What was there is kept if it ever had all of the traffic.

        If it had not, its image can go.
        """
        there = self.places.get(colour)
        if there is None:
            return self
        left = _deployment(there)
        places = {key: each for key, each in self.places.items() if key is not colour}
        if any((each.run_id, each.image) == (left.run_id, left.image) for each in self.switches):
            kept = (left, *(each for each in self.kept if each.run_id != left.run_id))
            return replace(self, places=places, kept=kept)
        return replace(self, places=places, leaving=(*self.leaving, left.image))

    def keeping(self, most: int) -> "Slot":
        """The slot with at most so many kept releases; the images of older ones can go, if nothing here needs them."""
        kept = self.kept[:most]
        needed = {release.image for release in (*self.wanted, *self.places.values())} | {each.image for each in kept}
        gone = dict.fromkeys((*self.leaving, *(each.image for each in self.kept[most:])))
        return replace(self, kept=kept, leaving=tuple(image for image in gone if image not in needed))

    def cleared(self, gone: Collection[str]) -> "Slot":
        """The slot after these images were removed; others that nobody needs are tried again with the next plan."""
        return replace(self, leaving=tuple(image for image in self.leaving if image not in gone))

    def surplus(self) -> list[Colour]:
        """Colours whose release is not wanted any more and has no traffic."""
        wanted = {self.colour_of(release) for release in self.wanted}
        return [colour for colour in self.places if colour not in wanted and self.weight(colour) == 0]

    def weighted(self, *, at: datetime) -> "Slot":
        """The slot after every colour got the weight that its release is wanted with; 0 when it is not wanted."""
        wanted = {self.colour_of(release): release for release in self.wanted}
        places = {colour: wanted.get(colour, replace(there, weight=0)) for colour, there in self.places.items()}
        return _noted(replace(self, places=places), at)

    def squeezed(self) -> "Slot":
        """Room for a release that is to get traffic, when two others share it that are not wanted: one takes it all.

        The same slot when that is not so.
        """
        wanted = {self.colour_of(release) for release in self.wanted}
        unwanted = [colour for colour in Colour if self.weight(colour) > 0 and colour not in wanted]
        waits = any(release.weight > 0 for release in self.unplaced())
        if not waits or not unwanted or len([colour for colour in Colour if self.weight(colour) > 0]) < len(Colour):
            return self
        out = min(unwanted, key=self.weight)
        weights = {out: 0, out.other: 100}
        places = {colour: replace(there, weight=weights[colour]) for colour, there in self.places.items()}
        return replace(self, places=places)


def _noted(slot: Slot, at: datetime) -> Slot:
    """The slot with a switch in its list, if another release, or another colour, has all of the traffic than before."""
    active = slot.active
    if active is None or slot.weight(active) < ALL:
        return slot
    there, last = slot.places[active], slot.switches[-1] if slot.switches else None
    if last is not None and (last.run_id, last.image, last.colour) == (there.run_id, there.image, active):
        return slot
    number = 1 if last is None else last.number + 1
    switch = Switch(number=number, run_id=there.run_id, image=there.image, colour=active, at=at)
    return replace(slot, switches=(*slot.switches, switch)[-SWITCHES_KEPT:])


def _deployment(release: PlannedRelease) -> Deployment:
    return Deployment(run_id=release.run_id, image=release.image)


def _same(one: PlannedRelease, other: PlannedRelease) -> bool:
    """Whether the same container serves both: model and version are names only, and the weight is HAProxy's."""
    return (one.run_id, one.image, one.resources) == (other.run_id, other.image, other.resources)


def slot_path(pipeline: str) -> str:
    """Where a slot lies, relative to the home of the SSH user."""
    return f"serving/{pipeline}.json"


def slot_text(slot: Slot) -> str:
    """The text of a slot file: JSON, indented because people read it too."""
    return json.dumps(to_wire(slot), indent=2, sort_keys=True) + "\n"


def parse_slot(text: str) -> Slot:
    """The slot of a file's text; raises ``ValueError`` naming the bad field. Files of schema 1 are brought forward."""
    raw = json.loads(text)
    if isinstance(raw, dict) and raw.get("schema", 1) == 1:
        raw = _brought_forward(raw)
    return from_wire(Slot, raw)


def _brought_forward(raw: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 had one live release at ``active``, and the one before it without traffic at the other colour."""
    active: str | None = raw.get("active")
    live: Any = raw.get("live")
    previous: Any = raw.get("previous")
    if (active is None) != (live is None):
        raise ValueError("Slot: active and live are either both set or both null")
    places: dict[str, Any] = {}
    if active is not None:
        places[Colour(active)] = {**live, "weight": 100}
        if previous is not None and previous != live:
            places[Colour(active).other] = {**previous, "weight": 0}
    return {**raw, "places": places, "wanted": list(places.values()), "schema": SCHEMA}
