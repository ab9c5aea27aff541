"""Data: what a pipeline watches, what came and what became of it, what is held back, its runs and their numbers.

Also of a pipeline whose file is broken or gone, as far as the ledger knows it, with the sentence that says so.

Bounded: :data:`ARRIVALS` arrivals at a time, each of which may need one request for the verdict on its window;
:data:`RUNS` runs; besides that :data:`BESIDES` requests to the ledger at the most, and one to the host for each run
under way.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import azure.durable_functions as df
from cronsim import CronSim

from function_app.api import models as m
from function_app.api.calendars import Came, calendar_of, came_of
from function_app.api.expected_models import Calendar, CalendarQuery, ExpectedView
from function_app.api.known_pipelines import has_history
from function_app.api.lists import detail_of, get_pipeline, list_arrivals, list_runs
from function_app.api.reading import query_of
from function_app.composition import Services
from function_app.page.charts import Chart
from function_app.page.screens.coming import Coming, coming_of
from function_app.page.screens.data_calendar import calendar_chart
from function_app.page.screens.run_numbers import comparison_chart, metric_chart
from function_app.page.screens.serving_now import Serving, serving_now
from function_app.page.serving import Asked
from function_app.page.texts import Words
from shared.errors import PermanentError
from shared.messages import Champion, Quarantine, Retirement, Trouble
from shared.pipelines import Pipeline

BESIDES: Final = 22
ARRIVALS: Final = 25
RUNS: Final = 50
"""Runs whose numbers are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataScreen:
    """``pipeline``: as its file says; None for one without a good file, and then ``past`` says what is the matter.

    ``metric``: the one that decides, and ``runs`` the newest with it. ``next_look``: when the schedule is due.
    ``first``: these are the newest arrivals, and then ``calendar`` shows what came on the days of ``zone``;
    ``counting``: its earlier days may have more files. ``charts``: of its runs. ``retired``: it trains no
    more, and ``retiring``: its targets are being emptied. ``served``: where its model serves now.
    """

    name: str
    pipeline: Pipeline | None
    past: str
    champion: Champion | None
    serving: str
    troubles: tuple[Trouble, ...]
    coming: Coming | None
    expected: ExpectedView | None
    next_look: datetime | None
    quarantines: tuple[Quarantine, ...]
    arrivals: m.ArrivalsPage
    first: bool
    calendar: Chart | None
    zone: str
    counting: bool
    metric: str
    runs: tuple[m.ListedRun, ...]
    charts: tuple[Chart, ...]
    retired: Retirement | None
    retiring: bool
    served: tuple[Serving, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the API says of the pipeline."""

    pipeline: m.PipelineDetail | None = None
    past: str = ""
    champion: Champion | None = None
    came: Came | None = None


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> DataScreen:
    """One pipeline and a page of its arrivals."""
    name, after = asked.route["name"], asked.query.get("continuation", "")
    page = query_of(m.PageQuery, {"limit": str(ARRIVALS)} | ({"continuation": after} if after else {}))
    told = await _told(name, services, client)
    known = await asyncio.to_thread(has_history, name, services) if told.pipeline is None else True
    arrivals, runs = m.ArrivalsPage(arrivals=(), continuation=None), m.RunsPage(runs=(), continuation=None)
    if known:
        arrivals, runs = await asyncio.gather(
            asyncio.to_thread(list_arrivals, name, page, services),
            list_runs(query_of(m.RunsQuery, {"pipeline": name, "limit": str(RUNS)}), services, client),
        )
    detail = told.pipeline
    days = await _calendar(name, told, services) if known and not after else None
    retired, retiring = await asyncio.to_thread(_retired, told, services)
    targets = await asyncio.to_thread(services.ledger.targets.all)
    return DataScreen(
        name=name,
        pipeline=detail,
        past=told.past,
        champion=told.champion,
        serving=detail.serving if detail else "",
        troubles=detail.troubles if detail else (),
        coming=coming_of(detail.window, detail.settle) if detail and detail.window else None,
        expected=detail.expected if detail else None,
        next_look=_next_look(detail.retrain_every, asked.words) if detail else None,
        quarantines=detail.quarantines if detail else (),
        arrivals=arrivals,
        first=not after,
        calendar=calendar_chart(days, asked.words) if days else None,
        zone=days.zone if days else "",
        counting=bool(days and not days.complete and detail and retired is None),
        metric=detail.judge.metric if detail else "",
        runs=runs.runs,
        charts=_charts(detail, runs.runs, asked.words) if detail else (),
        retired=retired,
        retiring=retiring,
        served=tuple(each for each in serving_now(name, targets) if each.run_id),
    )


async def _told(name: str, services: Services, client: df.DurableOrchestrationClient) -> _Told:
    """What there is; raises :class:`PermanentError` for a pipeline that nobody ever knew."""
    try:
        pipeline = services.pipelines.get(name)
    except PermanentError as error:
        if name not in services.pipelines.broken:
            gone = await get_pipeline(name, services, client)
            return _Told(past=gone.removed if isinstance(gone, m.RemovedPipeline) else "", champion=gone.champion)
        champion = await asyncio.to_thread(services.ledger.champions.champion, name)
        return _Told(past=error.reason, champion=champion if champion.run_id else None)
    came = await asyncio.to_thread(came_of, name, services)
    found = await detail_of(pipeline, came, services, client)
    return _Told(pipeline=found, champion=found.champion, came=came)


async def _calendar(name: str, told: _Told, services: Services) -> Calendar:
    came = told.came
    if came is None:
        came = await asyncio.to_thread(came_of, name, services)
    return await asyncio.to_thread(calendar_of, name, CalendarQuery(), came, services)


def _retired(told: _Told, services: Services) -> tuple[Retirement | None, bool]:
    """The mark of a retirement that has begun, and whether it goes on; a mark alone may yet be taken back."""
    mark, actions = told.came.retirement if told.came else None, services.ledger.actions
    if mark is None or actions.action(mark.action_id) is None:
        return None, False
    return mark, actions.ended(mark.action_id) is None


def _charts(pipeline: m.PipelineDetail, runs: tuple[m.ListedRun, ...], words: Words) -> tuple[Chart, ...]:
    champion = pipeline.champion.run_id if pipeline.champion else None
    compared = comparison_chart(runs, champion, words)
    made = metric_chart(pipeline.judge, runs, champion, words)
    return (made, compared) if compared else (made,)


def _next_look(cron: str | None, words: Words) -> datetime | None:
    return next(CronSim(cron, words.now), None) if cron else None
