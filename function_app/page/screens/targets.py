"""Targets: what serves where and what should, who has a machine and who waits for it, and the sites.

Bounded: :data:`PLACES` pairs of target and pipeline at a time, those that differ first, and as many machines and sites.
The whole ledger is asked twice, and once for each shown machine and each shown place that somebody changed by hand.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from function_app.api.delivery_models import TargetView
from function_app.api.targets import list_targets
from function_app.composition import Services
from function_app.page.screens.pages import number_of, pages_of, part_of
from function_app.page.serving import Asked
from function_app.reconciler.target_care import BY
from shared.decisions.explanations.actors import actor_text
from shared.decisions.training.compute_queue import Lease, QueueState
from shared.messages import ComputeTicket, ObservedRelease, PlannedRelease, Trouble, TroubleKind
from shared.pipelines import Pipeline

Release = ObservedRelease | PlannedRelease

PLACES: Final = 20
WAITING: Final = 10
NAMED: Final = 8
_OF_SITES: Final = frozenset({TroubleKind.UNREACHABLE, TroubleKind.REFUSED, TroubleKind.NO_DATA})


class Asker(StrEnum):
    """Who wanted what a target should serve."""

    NOBODY = "nobody"
    RUN = "run"
    PERSON = "person"
    APP = "app"


class Condition(StrEnum):
    """How a place is. ``NEW``: nobody has looked at it yet."""

    DIFFERS = "differs"
    NEW = "new"
    EMPTY = "empty"
    AS_WANTED = "as_wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A target and a pipeline. ``by``: the run or the person who wanted what should serve, and why.

    ``names``: model and version of a release, by its run, where the target or the plan has them. ``same``: it serves
    just what should serve. ``brought_back``: the runs that a roll-back can bring back at once, newest first.
    """

    seen: TargetView
    names: Mapping[str, tuple[str, str]]
    same: bool
    condition: Condition
    asker: Asker
    by: str
    reason: str
    brought_back: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A compute and its queue; ``more``: how many wait besides those that are shown."""

    name: str
    slots: int
    holders: tuple[Lease, ...]
    waiting: tuple[ComputeTicket, ...]
    more: int
    pipelines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site as its pipelines have found it: troubles with its hub, by pipeline."""

    name: str
    pipelines: tuple[str, ...]
    more: int
    machines: tuple[str, ...]
    troubles: tuple[tuple[str, Trouble], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """``differing``, ``all_places``: how many places differ, of how many. ``number``, ``pages``: of all three lists."""

    places: tuple[Place, ...]
    differing: int
    all_places: int
    machines: tuple[Machine, ...]
    sites: tuple[Site, ...]
    number: int
    pages: int


async def view(asked: Asked, services: Services) -> Targets:
    """What one page of the lists shows."""
    return await asyncio.to_thread(_view, asked, services)


def _view(asked: Asked, services: Services) -> Targets:
    pipelines = services.pipelines.all
    known = sorted(list_targets(services).targets, key=lambda each: (not each.drift, each.target, each.pipeline))
    computes, sites = _by_compute(pipelines), _by_site(pipelines)
    pages = pages_of(PLACES, len(known), len(computes), len(sites))
    number = number_of(asked.query.get("page", ""), pages)
    troubles = services.ledger.troubles.all()
    return Targets(
        places=tuple(_place(each, services) for each in part_of(known, number, PLACES)),
        differing=sum(1 for each in known if each.drift),
        all_places=len(known),
        machines=tuple(_machine(name, computes[name], services) for name in part_of(sorted(computes), number, PLACES)),
        sites=tuple(_site(name, sites[name], troubles) for name in part_of(sorted(sites), number, PLACES)),
        number=number,
        pages=pages,
    )


def _place(seen: TargetView, services: Services) -> Place:
    asker, by, reason = _asker(seen, services)
    return Place(
        seen=seen,
        names=_names(seen.observed) | _names(seen.desired),
        same=_weights(seen.observed) == _weights(seen.desired),
        condition=_condition(seen),
        asker=asker,
        by=by,
        reason=reason,
        brought_back=tuple(run_id for run_id in seen.kept if run_id != seen.serving)[:NAMED],
    )


def _names(releases: Iterable[Release]) -> dict[str, tuple[str, str]]:
    return {each.run_id: (each.model, each.version) for each in releases if each.version}


def _weights(releases: Iterable[Release]) -> dict[str, int]:
    return {each.run_id: each.weight for each in releases}


def _condition(seen: TargetView) -> Condition:
    if seen.drift:
        return Condition.DIFFERS
    if seen.observed_at is None:
        return Condition.NEW
    return Condition.AS_WANTED if seen.serving else Condition.EMPTY


def _asker(seen: TargetView, services: Services) -> tuple[Asker, str, str]:
    """Who wanted it, in the words of the ledger, and why."""
    by = seen.desired_by
    if not by:
        return Asker.NOBODY, "", ""
    if by == BY:
        return Asker.APP, "", ""
    if by.startswith(f"{seen.pipeline}-"):
        return Asker.RUN, by, ""
    action = services.ledger.actions.action(by)
    return (Asker.PERSON, actor_text(action.by), action.reason) if action else (Asker.PERSON, by, "")


def _by_compute(pipelines: Iterable[Pipeline]) -> Mapping[str, Sequence[Pipeline]]:
    found: dict[str, list[Pipeline]] = defaultdict(list)
    for pipeline in pipelines:
        found[pipeline.train.compute].append(pipeline)
    return found


def _by_site(pipelines: Iterable[Pipeline]) -> Mapping[str, Sequence[Pipeline]]:
    found: dict[str, list[Pipeline]] = defaultdict(list)
    for pipeline in pipelines:
        found[pipeline.data.site].append(pipeline)
    return found


def _machine(name: str, users: Sequence[Pipeline], services: Services) -> Machine:
    queue: QueueState = services.ledger.computes.state(name)
    return Machine(
        name=name,
        slots=queue.slots,
        holders=queue.holders,
        waiting=queue.waiting[:WAITING],
        more=max(0, len(queue.waiting) - WAITING),
        pipelines=len(users),
    )


def _site(name: str, pipelines: Sequence[Pipeline], troubles: Mapping[str, tuple[Trouble, ...]]) -> Site:
    names = sorted(each.name for each in pipelines)
    found = [(each, trouble) for each in names for trouble in troubles.get(each, ()) if trouble.kind in _OF_SITES]
    return Site(
        name=name,
        pipelines=tuple(names[:NAMED]),
        more=max(0, len(names) - NAMED),
        machines=tuple(sorted({each.train.compute for each in pipelines}))[:NAMED],
        troubles=tuple(found[:NAMED]),
    )
