"""Models: every model with the version in use and its newest versions, a pipeline a card.

Bounded: :data:`PIPELINES` pipelines at a time, in order of their models. The ledger is asked once for the names of
pipelines that have trained, and twice for each shown pipeline, for its newest :data:`RUNS` runs.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from function_app.api.delivery_models import ModelVersion
from function_app.api.registered_models import versions_of
from function_app.composition import Services
from function_app.page.screens.pages import number_of, pages_of, part_of
from function_app.page.serving import Asked
from shared.messages import Champion
from shared.pipelines import Pipeline

PIPELINES: Final = 20
RUNS: Final = 20
NEWEST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The model of a pipeline. ``removed``: the pipeline has no file any more; ``metric``: what it is judged by."""

    model: str
    pipeline: str
    removed: bool
    champion: Champion
    metric: str
    newest: tuple[ModelVersion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """``number``, ``pages``: of the pages of cards."""

    models: tuple[Made, ...]
    number: int
    pages: int


async def view(asked: Asked, services: Services) -> Models:
    """The models of one page."""
    return await asyncio.to_thread(_view, asked, services)


def _view(asked: Asked, services: Services) -> Models:
    files = {each.name: each for each in services.pipelines.all}
    gone = sorted(set(services.ledger.runs.pipelines()) - set(files))
    ordered = [*sorted(files, key=lambda name: (files[name].deliver.model, name)), *gone]
    pages = pages_of(PIPELINES, len(ordered))
    number = number_of(asked.query.get("page", ""), pages)
    shown = part_of(ordered, number, PIPELINES)
    return Models(models=tuple(_made(name, files.get(name), services) for name in shown), number=number, pages=pages)


def _made(name: str, pipeline: Pipeline | None, services: Services) -> Made:
    champion = services.ledger.champions.champion(name)
    found = list(versions_of(services.ledger.runs.list_runs([name], limit=RUNS).items, champion))
    made_by_runs = champion.model or next((made for made, _ in found), "")
    model = pipeline.deliver.model if pipeline is not None else made_by_runs
    return Made(
        model=model,
        pipeline=name,
        removed=pipeline is None,
        champion=champion,
        metric=pipeline.judge.metric if pipeline else "",
        newest=tuple(version for made, version in found if made == model)[:NEWEST],
    )
