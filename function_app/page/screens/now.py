"""Now: what serves where, what is under way, who must decide, and what is broken, a pipeline a card.

Bounded: :data:`PIPELINES` pipelines at a time, those with trouble first. The whole ledger is asked :data:`REQUESTS`
times, and each shown pipeline :data:`REQUESTS_OF_A_CARD` times, plus what its runs under way need.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import azure.durable_functions as df

from function_app.api.calendars import history_of, open_window_of, view_of
from function_app.api.expected_models import ExpectedView
from function_app.api.models import RunView
from function_app.api.run_views import run_view
from function_app.composition import Services
from function_app.page.decisions import Decision, decisions_of
from function_app.page.screens.pages import number_of, pages_of, part_of
from function_app.page.serving import Asked
from shared.clients.ledger.windows import UnfinishedWindow
from shared.decisions.arrivals.day_counts import History
from shared.decisions.arrivals.near_periods import expected_soon, near_periods
from shared.messages import Champion, Every, RunRecord, Stage, TargetState, Trouble, TroubleKind, Watch
from shared.pipelines import Pipeline

PIPELINES: Final = 20
NEWEST: Final = 5
REQUESTS: Final = 5
REQUESTS_OF_A_CARD: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What one target serves: the run of its release, since when; ``drift``: how it differs from what is wanted."""

    target: str
    run_id: str | None
    since: datetime | None
    drift: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A run under way; ``doing``: what its stage is at, in the words of the app."""

    run_id: str
    stage: Stage
    since: datetime
    doing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A pipeline. ``last``: its newest run that has ended.

    ``awaited``: what should come now and has not, or is overdue; ``told``: a trouble says that it is overdue.
    """

    name: str
    champion: Champion
    serving: tuple[Serving, ...]
    under_way: tuple[Going, ...]
    decisions: tuple[Decision, ...]
    waiting: UnfinishedWindow | None
    awaited: ExpectedView | None
    told: bool
    last: RunRecord | None
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """``broken``: files that are no pipelines, with the reason. ``number``, ``pages``: of the pages of cards."""

    cards: tuple[Card, ...]
    broken: Mapping[str, str]
    number: int
    pages: int
    in_trouble: int
    to_decide: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the ledger says of all pipelines."""

    targets: Sequence[TargetState]
    windows: Sequence[UnfinishedWindow]
    troubles: Mapping[str, tuple[Trouble, ...]]
    watches: Mapping[str, Watch]
    retired: frozenset[str]
    now: datetime


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Now:
    """The pipelines of one page."""
    known = {each.name: each for each in services.pipelines.all}
    troubles = await asyncio.to_thread(services.ledger.troubles.all)
    ordered = sorted(known, key=lambda name: (not troubles.get(name), name))
    pages = pages_of(PIPELINES, len(ordered))
    number = number_of(asked.query.get("page", ""), pages)
    names = part_of(ordered, number, PIPELINES)
    targets, windows, watches, (_, retired) = await asyncio.gather(
        asyncio.to_thread(services.ledger.targets.all),
        asyncio.to_thread(services.ledger.arrivals.unfinished_windows),
        asyncio.to_thread(services.ledger.expectations.all),
        asyncio.to_thread(services.ledger.actions.standing),
    )
    seen = _Seen(
        targets=targets,
        windows=windows,
        troubles=troubles,
        watches=watches,
        retired=retired,
        now=asked.words.now,
    )
    made = (_card(known[name], seen, services, client) for name in names)
    cards = tuple(await asyncio.gather(*made))
    return Now(
        cards=cards,
        broken=services.pipelines.broken if number == 1 else {},
        number=number,
        pages=pages,
        in_trouble=sum(1 for name in known if troubles.get(name)) + sum(_is_overdue(card) for card in cards),
        to_decide=sum(len(card.decisions) for card in cards),
    )


async def _card(pipeline: Pipeline, seen: _Seen, services: Services, client: df.DurableOrchestrationClient) -> Card:
    name = pipeline.name
    waiting = open_window_of(name, seen.windows)
    champion, newest, awaited = await asyncio.gather(
        asyncio.to_thread(services.ledger.champions.champion, name),
        asyncio.to_thread(services.ledger.runs.list_runs, [name], limit=NEWEST),
        asyncio.to_thread(_awaited, pipeline, waiting, seen, services),
    )
    going = [record for record in newest.items if record.outcome is None]
    runs = await asyncio.gather(*(run_view(client, services, record) for record in going))
    return Card(
        name=name,
        champion=champion,
        serving=_serving(pipeline, seen.targets),
        under_way=tuple(map(_going, runs)),
        decisions=tuple(decision for run in runs for decision in decisions_of(run)),
        waiting=waiting,
        awaited=awaited,
        told=any(each.kind is TroubleKind.OVERDUE for each in seen.troubles.get(name, ())),
        last=next((record for record in newest.items if record.outcome is not None), None),
        troubles=seen.troubles.get(name, ()),
    )


def _is_overdue(card: Card) -> bool:
    """Whether this has not been told as a trouble of the pipeline yet, nor anything else."""
    return not card.troubles and card.awaited is not None and card.awaited.overdue_since is not None


def _awaited(
    pipeline: Pipeline, waiting: UnfinishedWindow | None, seen: _Seen, services: Services
) -> ExpectedView | None:
    """What should have come, or may still come today; None when it is there, or nobody waits for anything."""
    watch = seen.watches.get(pipeline.name)
    if watch is None or pipeline.name in seen.retired or pipeline.expecting.every is Every.NONE:
        return None
    near = near_periods(pipeline.expecting, watch, seen.now)
    history = history_of(pipeline.name, services, near.counts_from, window=waiting) if near.counts_from else History({})
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


def _serving(pipeline: Pipeline, targets: Sequence[TargetState]) -> tuple[Serving, ...]:
    states = {state.target: state for state in targets if state.pipeline == pipeline.name}
    names = sorted({*states, *(target.name for target in pipeline.deliver.targets)})
    return tuple(_served(name, states.get(name)) for name in names)


def _served(name: str, state: TargetState | None) -> Serving:
    live = state.seen.live if state is not None and state.seen is not None else None
    return Serving(
        target=name,
        run_id=live.run_id if live else None,
        since=live.since if live else None,
        drift=state.drift if state else "",
    )
