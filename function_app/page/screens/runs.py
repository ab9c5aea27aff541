"""Runs, newest first, a page at a time: of one pipeline or of all, and only those of one outcome where that is asked.

Bounded: one request to the ledger for each pipeline with runs and two more, and one for run retries; of runs under way
the host is asked, eight at a time.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import azure.durable_functions as df

from function_app.api.lists import list_runs
from function_app.api.models import ListedRun, RunsQuery
from function_app.api.reading import query_of
from function_app.composition import Services
from function_app.page.serving import Asked
from shared.messages import Outcome

RUNS: Final = "25"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """``pipeline`` and ``outcome``: which are shown, empty for all. ``next``: the address of those before; or empty."""

    runs: tuple[ListedRun, ...]
    pipelines: tuple[str, ...]
    pipeline: str
    outcome: str
    outcomes: tuple[str, ...]
    first: bool
    start: str
    next: str


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Runs:
    """A page of them."""
    given = {name: asked.query[name] for name in ("pipeline", "outcome", "continuation") if asked.query.get(name)}
    page, known = await asyncio.gather(
        list_runs(query_of(RunsQuery, given | {"limit": RUNS}), services, client),
        asyncio.to_thread(services.ledger.runs.pipelines),
    )
    chosen = {name: text for name, text in given.items() if name != "continuation"}
    return Runs(
        runs=page.runs,
        pipelines=tuple(sorted({*known, *(each.name for each in services.pipelines.all)})),
        pipeline=given.get("pipeline", ""),
        outcome=given.get("outcome", ""),
        outcomes=tuple(each.value for each in Outcome),
        first="continuation" not in given,
        start=_address(chosen),
        next=_address(chosen | {"continuation": page.continuation}) if page.continuation else "",
    )


def _address(query: Mapping[str, str]) -> str:
    return f"/ui/runs?{urlencode(query)}" if query else "/ui/runs"
