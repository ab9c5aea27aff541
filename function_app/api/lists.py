"""List operations over the ledger and the pipelines' files: runs, pipelines, arrivals."""

import asyncio
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

import azure.durable_functions as df

from activities.admission_evaluation import serving_model
from function_app.api import models as m
from function_app.api.calendars import expected_view
from function_app.api.known_pipelines import all_names, is_removed, name_of, removal
from function_app.api.run_views import listed
from function_app.composition import Services
from shared.clients.ledger import Page, RecordedArrival
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
    removed = await asyncio.to_thread(is_removed, name, services)
    if not removed:
        services.pipelines.get(name)
    newest = (await asyncio.to_thread(services.ledger.runs.list_runs, [name], limit=NEWEST_RUNS)).items
    runs = await listed(client, services, newest)
    return await asyncio.to_thread(_removed if removed else _detail, name, runs, services)


def _detail(name: str, runs: tuple[m.ListedRun, ...], services: Services) -> m.PipelineDetail | m.RemovedPipeline:
    pipeline = services.pipelines.get(name)
    state = open_window(pipeline, services)
    decided = services.ledger.listings.last_decided(pipeline.name)
    now_serving = serving_model(pipeline.name, services.ledger.champions, services.ledger.runs)
    return _with(
        m.PipelineDetail,
        pipeline,
        serving=serving_text(now_serving, listing=decided.listing if decided else ""),
        champion=_champion(pipeline.name, services),
        troubles=services.ledger.troubles.of(pipeline.name),
        window=_window_view(state) if state else None,
        expected=expected_view(pipeline, services, sighted=state.opened_at if state else None),
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
    ledger = services.ledger.arrivals
    for unfinished in ledger.unfinished_windows():
        if unfinished.window.pipeline == pipeline.name and not unfinished.closed:
            return ledger.window_state(unfinished.window, settle=pipeline.settle)
    return None


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
        reason=recorded.reason
        or f"joined window {recorded.window_id}; whether its data are trained is not decided yet",
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


def _removed(name: str, runs: tuple[m.ListedRun, ...], services: Services) -> m.PipelineDetail | m.RemovedPipeline:
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
