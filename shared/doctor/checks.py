"""A check: what it looks at, why that matters, what mends it, and the function that looks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.doctor.findings import Kind, State

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a check saw. ``wanted`` and ``remedy`` go before those of the check when they are not empty."""

    state: State
    found: str
    wanted: str = ""
    remedy: str = ""


def ok(found: str) -> Seen:
    """It is as it should be."""
    return Seen(state=State.OK, found=found)


def wrong(found: str, *, wanted: str = "", remedy: str = "") -> Seen:
    """It is not as it should be, beyond doubt: a run that needs it would fail."""
    return Seen(state=State.WRONG, found=found, wanted=wanted, remedy=remedy)


def unknown(found: str, *, wanted: str = "", remedy: str = "") -> Seen:
    """It could not be found out, or may be otherwise in a moment."""
    return Seen(state=State.UNKNOWN, found=found, wanted=wanted, remedy=remedy)


def skipped(found: str) -> Seen:
    """There is nothing to look at."""
    return Seen(state=State.SKIPPED, found=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[Place]):
    """One check. ``name`` is stable: subject and matter, such as ``hub.clock``; scripts may look for it.

    ``look`` gets the place (clients and settings) and the name of one subject of kind ``about``. It may raise: a
    :class:`PermanentError` of a client says for certain what is wrong, anything else leaves it unknown. ``wanted``,
    ``why`` and ``remedy`` are what docs/doctor.md says of it. ``seconds``: the longest that it may take.
    ``before_deployment``: it needs settings and pipelines only, or what they name, and not the deployed app.
    ``for_runs``: a run asks it first, about what it needs, and ends when it is wrong.
    """

    name: str
    about: Kind
    wanted: str
    why: str
    remedy: str
    look: Callable[[Place, str], Seen]
    seconds: float = 15.0
    before_deployment: bool = True
    for_runs: bool = False
