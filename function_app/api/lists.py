"""List operations over the ledger and the pipelines' files: runs, pipelines, arrivals."""

import asyncio
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

import azure.durable_functions as df

from activities.admission_evaluation import serving_model
from function_app.api import models as m
from function_app.api.calendars import Came, came_of, expected_view, open_window_of
from function_app.api.known_pipelines import all_names, is_removed, name_of, removal
from function_app.api.run_views import listed
from function_app.composition import Services
from shared.clients.ledger import Page, RecordedArrival, UnfinishedWindow
from shared.decisions.explanations.serving_model import serving_text
from shared.decisions.explanations.status_text import window_status_text
from shared.messages import Arrival, Champion, Quarantine, RunRecord, WindowState
from shared.pipelines import Pipeline

View = TypeVar("View", bound=Pipeline)

NEWEST_RUNS = 10


async def list_runs(query: m.RunsQuery, services: Services, client: df.DurableOrchestrationClient) -> m.RunsPage:
    """Runs of one pipeline or of all."""
    page = await asyncio.to_thread(_page, query, services)
    return m.RunsPage(runs=await listed(client, services, page.items), continuation=page.next)


def _page(asked: m.RunsQuery, services: Services) -> Page[RunRecord]:
    return services.ledger.runs.list_runs(
        _names(asked.pipeline, services),
        outcome=asked.outcome,
        since=asked.since,
        limit=asked.limit,
        after=asked.continuation,
    )


def list_pipelines(services: Services) -> m.PipelineList:
    """Every pipeline, and every file that is not a valid one."""
    troubles = services.ledger.troubles.all()
    shown = tuple(
        _with(
            m.PipelineView,
            known,
            champion=_champion(known.name, services),
            troubles=troubles.get(known.name, ()),
        )
        for known in services.pipelines.all
    )
    gone = (name for name in services.ledger.runs.pipelines() if not services.pipelines.has_file(name))
    removed = {name: removal(name, troubles.get(name, ()))[0] for name in gone}
    return m.PipelineList(pipelines=shown, broken=services.pipelines.broken, removed=removed)


async def get_pipeline(
    name: str, services: Services, client: df.DurableOrchestrationClient
) -> m.PipelineDetail | m.RemovedPipeline:
    """A pipeline and its state; for a removed one, its history."""
    if await asyncio.to_thread(is_removed, name, services):
        return await asyncio.to_thread(_removed, name, await _newest_runs(name, services, client), services)
    pipeline = services.pipelines.get(name)
    return await detail_of(pipeline, await asyncio.to_thread(came_of, name, services), services, client)


async def detail_of(
    pipeline: Pipeline, came: Came, services: Services, client: df.DurableOrchestrationClient
) -> m.PipelineDetail:
    """A pipeline that has a good file, and its state; what the ledger says of its data is known already."""
    runs = await _newest_runs(pipeline.name, services, client)
    return await asyncio.to_thread(_detail, pipeline, came, runs, services)


async def _newest_runs(name: str, services: Services, client: df.DurableOrchestrationClient) -> tuple[m.ListedRun, ...]:
    newest = await asyncio.to_thread(services.ledger.runs.list_runs, [name], limit=NEWEST_RUNS)
    return await listed(client, services, newest.items)


def _detail(pipeline: Pipeline, came: Came, runs: tuple[m.ListedRun, ...], services: Services) -> m.PipelineDetail:
    state = _state(came.window, pipeline, services)
    decided = services.ledger.listings.last_decided(pipeline.name)
    now_serving = serving_model(pipeline.name, services.ledger.champions, services.ledger.runs)
    return _with(
        m.PipelineDetail,
        pipeline,
        serving=serving_text(now_serving, listing=decided.listing if decided else ""),
        champion=_champion(pipeline.name, services),
        troubles=services.ledger.troubles.of(pipeline.name),
        window=_window_view(state) if state else None,
        expected=expected_view(pipeline, came),
        quarantines=active_quarantines(pipeline, services),
        runs=runs,
    )


def list_arrivals(name: str, query: m.PageQuery, services: Services) -> m.ArrivalsPage:
    """The arrivals of a pipeline."""
    pipeline = name_of(name, services)
    page = services.ledger.arrivals.list_arrivals(pipeline, limit=query.limit, after=query.continuation)
    return m.ArrivalsPage(arrivals=arrival_views(page.items), continuation=page.next)


def list_strays(query: m.StraysQuery, services: Services) -> m.StraysPage:
    """The events that concern no pipeline."""
    ledger = services.ledger.arrivals
    if query.kind is m.StrayKind.REJECTED:
        refused = ledger.list_rejected(limit=query.limit, after=query.continuation)
        return m.StraysPage(kind=query.kind, rejected=refused.items, continuation=refused.next)
    page = ledger.list_arrivals(None, limit=query.limit, after=query.continuation)
    return m.StraysPage(kind=query.kind, arrivals=arrival_views(page.items), continuation=page.next)


def open_window(pipeline: Pipeline, services: Services) -> WindowState | None:
    """The pipeline's open window, with what has joined it."""
    return _state(open_window_of(pipeline.name, services.ledger.arrivals.unfinished_windows()), pipeline, services)


def _state(open_window: UnfinishedWindow | None, pipeline: Pipeline, services: Services) -> WindowState | None:
    if open_window is None:
        return None
    return services.ledger.arrivals.window_state(open_window.window, settle=pipeline.settle)


def active_quarantines(pipeline: Pipeline, services: Services) -> tuple[Quarantine, ...]:
    """The quarantines that were not lifted."""
    return tuple(kept for kept in services.ledger.quarantines.of(pipeline.name) if kept.active)


def arrival_views(arrivals: Iterable[RecordedArrival]) -> tuple[m.ArrivalView, ...]:
    """Arrivals as the API shows them, each with a sentence, also before its window is decided."""
    return tuple(_arrival_view(recorded) for recorded in arrivals)


def _arrival_view(recorded: RecordedArrival) -> m.ArrivalView:
    reported = {part.name: getattr(recorded.arrival, part.name) for part in fields(Arrival)}
    return m.ArrivalView(
        **reported,
        verdict=recorded.verdict,
        reason=recorded.reason or "joined a group of files; whether they are trained is not decided yet",
        window_id=recorded.window_id,
        run_id=recorded.run_id,
    )


def _window_view(state: WindowState) -> m.WindowView:
    return m.WindowView(
        window_id=state.window_id,
        opened_at=state.opened_at,
        last_arrival_at=state.last_arrival_at,
        arrivals=state.arrivals,
        size=state.size,
        marked=state.marked,
        closing=f"window {state.window_id}, {window_status_text(state)}",
    )


def _names(pipeline: str | None, services: Services) -> list[str]:
    """The names of the pipelines whose runs are listed."""
    return all_names(services) if pipeline is None else [name_of(pipeline, services)]


def _removed(name: str, runs: tuple[m.ListedRun, ...], services: Services) -> m.RemovedPipeline:
    said, noticed = removal(name, services.ledger.troubles.of(name))
    return m.RemovedPipeline(
        name=name,
        removed=said,
        since=noticed.since if noticed else None,
        champion=_champion(name, services),
        runs=runs,
    )


def _champion(pipeline: str, services: Services) -> Champion | None:
    champion = services.ledger.champions.champion(pipeline)
    return champion if champion.run_id else None


def _with(model: type[View], pipeline: Pipeline, **more: Any) -> View:
    """The pipeline's own fields, validated when its file was read, and additional ones."""
    return model.model_validate({**dict(pipeline), **more})
