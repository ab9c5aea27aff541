"""The serving slot of a pipeline on a VM: two colours behind one frontend, and which of them is live.

The slot file ``~/serving/<pipeline>.json`` is the truth about what serves; HAProxy's configuration and its runtime
state are derived from it. Writing it is the commit point of a switch.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.values.wire import from_wire, to_wire

SWITCHES_KEPT = 50


class Colour(StrEnum):
    """The two places of a slot; one is live, the other takes the next candidate."""

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
    """One change of what is live. ``number`` counts from 1 and never repeats within a slot."""

    number: int
    run_id: str
    image: str
    colour: Colour
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A pipeline's place on a VM. ``bind`` is the VM's own address that the frontend listens on.

    ``switches`` holds the newest :data:`SWITCHES_KEPT` ones, oldest first.
    """

    pipeline: str
    bind: str
    frontend_port: int
    ports: dict[Colour, int]
    active: Colour | None = None
    live: Deployment | None = None
    previous: Deployment | None = None
    switches: tuple[Switch, ...] = ()
    schema: int = 1

    def __post_init__(self) -> None:
        taken = {self.frontend_port, *self.ports.values()}
        if set(self.ports) != set(Colour) or len(taken) != 3:
            raise ValueError("ports must give blue and green a port each, and all three ports must differ")
        if (self.active is None) != (self.live is None):
            raise ValueError("active and live are either both set or both null")

    @property
    def idle(self) -> Colour:
        """The colour that takes the next candidate."""
        return Colour.BLUE if self.active is None else self.active.other

    def serves(self, deployment: Deployment, colour: Colour) -> bool:
        """Whether this deployment is the live one, at this colour."""
        return self.active is colour and self.live == deployment

    def switched(self, deployment: Deployment, colour: Colour, *, at: datetime) -> "Slot":
        """The slot after traffic moved to ``deployment``; the same slot when it is live there already."""
        if self.serves(deployment, colour):
            return self
        number = self.switches[-1].number + 1 if self.switches else 1
        switch = Switch(number=number, run_id=deployment.run_id, image=deployment.image, colour=colour, at=at)
        return replace(
            self,
            active=colour,
            live=deployment,
            previous=self.live,
            switches=(*self.switches, switch)[-SWITCHES_KEPT:],
        )


def slot_path(pipeline: str) -> str:
    """Where a slot lies, relative to the home of the SSH user."""
    return f"serving/{pipeline}.json"


def slot_text(slot: Slot) -> str:
    """The text of a slot file: JSON, indented because people read it too."""
    return json.dumps(to_wire(slot), indent=2, sort_keys=True) + "\n"


def parse_slot(text: str) -> Slot:
    """The slot of a file's text; raises ``ValueError`` naming the bad field."""
    return from_wire(Slot, json.loads(text))
