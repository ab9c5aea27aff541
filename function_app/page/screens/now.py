"""Now: what serves where, what is under way, who must decide, what waits and why, what is broken, a pipeline a card.

Bounded: :data:`PIPELINES` pipelines at a time: those with trouble first, then those where somebody must decide. The
whole ledger is asked :data:`REQUESTS` times, each shown pipeline :data:`REQUESTS_OF_A_CARD` times and, while its files
come in, :data:`REQUESTS_OF_A_WINDOW` times more; and once each pipeline of another page whose model needs somebody's
yes, and each broken file, so that no decision waits unseen. The host is asked for the runs that may wait for a yes, and
for :data:`NEWEST` runs under way of each shown pipeline.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import azure.durable_functions as df

from function_app.api.calendars import history_of, open_window_of, view_of
from function_app.api.expected_models import ExpectedView
from function_app.api.lists import active_quarantines
from function_app.api.models import RunView
from function_app.composition import Services
from function_app.page.decisions import Decision
from function_app.page.screens.coming import Coming, coming_of
from function_app.page.screens.pages import number_of, pages_of, part_of
from function_app.page.screens.serving_now import Serving, serving_now
from function_app.page.screens.under_way import UnderWay, looked_at, under_way, waiting
from function_app.page.serving import Asked
from shared.clients.ledger.windows import UnfinishedWindow
from shared.decisions.arrivals.day_counts import History
from shared.decisions.arrivals.near_periods import expected_soon, near_periods
from shared.messages import (
    Champion,
    Every,
    Quarantine,
    Retirement,
    RunRecord,
    Stage,
    TargetState,
    Trouble,
    TroubleKind,
    Watch,
)
from shared.pipelines import Pipeline

PIPELINES: Final = 20
NEWEST: Final = 5
REQUESTS: Final = 5
REQUESTS_OF_A_CARD: Final = 5
REQUESTS_OF_A_WINDOW: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A run under way; ``doing``: what its stage is at, in the words of the app."""

    run_id: str
    stage: Stage
    since: datetime
    doing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A pipeline. ``last``: its newest run that has ended; ``more``: runs under way besides those that are shown.

    ``awaited``: what should come now and has not, or is overdue; ``told``: a trouble says that it is overdue.
    ``held``: data that are not trained again by themselves, newest first. ``retiring``: its targets are being emptied.
    """

    name: str
    champion: Champion
    serving: tuple[Serving, ...]
    under_way: tuple[Going, ...]
    more: int
    decisions: tuple[Decision, ...]
    coming: Coming | None
    awaited: ExpectedView | None
    told: bool
    held: tuple[Quarantine, ...]
    retired: Retirement | None
    retiring: bool
    last: RunRecord | None
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file that is no pipeline, with the reason. ``decisions``: about runs from when it was one."""

    name: str
    why: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """``broken``: on the first page; ``unusable``: how many there are. ``number``, ``pages``: of the pages of cards.

    ``in_trouble``, ``to_decide``: of all pages; ``holding``: how many of those that are shown hold data back.
    """

    cards: tuple[Card, ...]
    broken: tuple[Broken, ...]
    unusable: int
    number: int
    pages: int
    in_trouble: int
    to_decide: int
    holding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the ledger says of all pipelines. ``under_way``: of those where somebody may have to decide."""

    targets: Sequence[TargetState]
    windows: Sequence[UnfinishedWindow]
    troubles: Mapping[str, tuple[Trouble, ...]]
    watches: Mapping[str, Watch]
    retired: Mapping[str, Retirement]
    retiring: frozenset[str]
    under_way: Mapping[str, UnderWay]
    now: datetime

    def decisions(self, name: str) -> tuple[Decision, ...]:
        """What somebody must decide about a pipeline, as far as it was asked for all of them."""
        return self.under_way[name].decisions if name in self.under_way else ()


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Now:
    """The pipelines of one page."""
    known, broken, ledger = (
        {each.name: each for each in services.pipelines.all},
        services.pipelines.broken,
        services.ledger,
    )
    deciding = [*(each.name for each in known.values() if each.deliver.approval is not None), *broken]
    troubles, targets, windows, watches, (actions, retired), runs = await asyncio.gather(
        asyncio.to_thread(ledger.troubles.all),
        asyncio.to_thread(ledger.targets.all),
        asyncio.to_thread(ledger.arrivals.unfinished_windows),
        asyncio.to_thread(ledger.expectations.all),
        asyncio.to_thread(ledger.actions.standing),
        waiting(deciding, services, client),
    )
    seen = _Seen(
        targets=targets,
        windows=windows,
        troubles=troubles,
        watches=watches,
        retired=retired,
        retiring=frozenset(each.action_id for each in actions),
        under_way=runs,
        now=asked.words.now,
    )
    ordered = sorted(known, key=lambda name: (not troubles.get(name), not seen.decisions(name), name))
    pages = pages_of(PIPELINES, len(ordered))
    number = number_of(asked.query.get("page", ""), pages)
    names = part_of(ordered, number, PIPELINES)
    cards = tuple(await asyncio.gather(*(_card(known[name], seen, services, client) for name in names)))
    unusable = tuple(Broken(name=name, why=why, decisions=seen.decisions(name)) for name, why in broken.items())
    elsewhere = runs.keys() - set(names)
    return Now(
        cards=cards,
        broken=unusable if number == 1 else (),
        unusable=len(unusable),
        number=number,
        pages=pages,
        in_trouble=sum(1 for name in known if troubles.get(name)) + sum(_is_overdue(card) for card in cards),
        to_decide=sum(len(card.decisions) for card in cards) + sum(len(seen.decisions(name)) for name in elsewhere),
        holding=sum(1 for card in cards if card.held),
    )


async def _card(pipeline: Pipeline, seen: _Seen, services: Services, client: df.DurableOrchestrationClient) -> Card:
    name = pipeline.name
    window = open_window_of(name, seen.windows)
    found = seen.under_way.get(name) or await under_way(name, services)
    shown = found.requests[:NEWEST]
    champion, newest, held, coming, awaited, found = await asyncio.gather(
        asyncio.to_thread(services.ledger.champions.champion, name),
        asyncio.to_thread(services.ledger.runs.list_runs, [name], limit=len(found.requests) + 1),
        asyncio.to_thread(active_quarantines, pipeline, services),
        asyncio.to_thread(_coming, pipeline, window, services),
        asyncio.to_thread(_awaited, pipeline, window, seen, services),
        looked_at(found, shown, services, client),
    )
    retired = seen.retired.get(name)
    return Card(
        name=name,
        champion=champion,
        serving=serving_now(name, seen.targets, (each.name for each in pipeline.deliver.targets)),
        under_way=tuple(_going(found.views[each.run_id]) for each in shown),
        more=len(found.requests) - len(shown),
        decisions=found.decisions,
        coming=coming,
        awaited=awaited,
        told=any(each.kind is TroubleKind.OVERDUE for each in seen.troubles.get(name, ())),
        held=held,
        retired=retired,
        retiring=retired is not None and retired.action_id in seen.retiring,
        last=next((record for record in newest.items if record.outcome is not None), None),
        troubles=seen.troubles.get(name, ()),
    )


def _coming(pipeline: Pipeline, window: UnfinishedWindow | None, services: Services) -> Coming | None:
    if window is None:
        return None
    return coming_of(services.ledger.arrivals.window_state(window.window, settle=pipeline.settle), pipeline.settle)


def _is_overdue(card: Card) -> bool:
    """Whether this has not been told as a trouble of the pipeline yet, nor anything else."""
    return not card.troubles and card.awaited is not None and card.awaited.overdue_since is not None


def _awaited(
    pipeline: Pipeline, window: UnfinishedWindow | None, seen: _Seen, services: Services
) -> ExpectedView | None:
    """What should have come, or may still come today; None when it is there, or nobody waits for anything."""
    watch = seen.watches.get(pipeline.name)
    if watch is None or pipeline.name in seen.retired or pipeline.expecting.every is Every.NONE:
        return None
    near = near_periods(pipeline.expecting, watch, seen.now)
    history = history_of(pipeline.name, services, near.counts_from, window=window) if near.counts_from else History({})
    found = view_of(expected_soon(pipeline.expecting, near, history, seen.now))
    due = found.files is not None and found.arrived < found.files
    return found if due or found.overdue_since else None


def _going(run: RunView) -> Going:
    progress = run.progress or {}
    doing = progress.get("doing") or progress.get("detail")
    return Going(
        run_id=run.run_id,
        stage=run.stage,
        since=run.since or run.requested_at,
        doing=doing if isinstance(doing, str) else "",
    )
