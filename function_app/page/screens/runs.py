"""Runs, newest first, a page at a time: of one pipeline or of all, and only those of one outcome where that is asked.

Bounded: of all pipelines, the runs of :data:`PIPELINES` at a time, in order of their names. One request to the ledger
for each of them and two more, for the names of pipelines and for run retries; where one pipeline is asked for that has
no file, four besides. Of runs under way the host is asked, eight at a time.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import azure.durable_functions as df

from function_app.api.known_pipelines import all_names, name_of
from function_app.api.models import ListedRun, RunsQuery
from function_app.api.reading import query_of
from function_app.api.run_views import listed
from function_app.composition import Services
from function_app.page.screens.pages import number_of, pages_of, part_of
from function_app.page.serving import Asked
from shared.messages import Outcome

RUNS: Final = "25"
PIPELINES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """``pipeline`` and ``outcome``: which are shown, empty for all. ``next``: the address of those before; or empty.

    ``group`` of ``groups``: of the pipelines whose runs these are, ``between`` these names. ``before``, ``after``: the
    addresses of the groups beside it, or empty.
    """

    runs: tuple[ListedRun, ...]
    pipelines: tuple[str, ...]
    pipeline: str
    outcome: str
    outcomes: tuple[str, ...]
    first: bool
    start: str
    next: str
    group: int
    groups: int
    between: tuple[str, str]
    before: str
    after: str


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Runs:
    """A page of them."""
    given = {name: asked.query[name] for name in ("pipeline", "outcome", "continuation") if asked.query.get(name)}
    query = query_of(RunsQuery, given | {"limit": RUNS})
    known = await asyncio.to_thread(all_names, services)
    names = [await asyncio.to_thread(name_of, query.pipeline, services)] if query.pipeline else known
    groups = pages_of(PIPELINES, len(names))
    group = number_of(asked.query.get("part", ""), groups)
    shown = part_of(names, group, PIPELINES)
    page = await asyncio.to_thread(
        services.ledger.runs.list_runs, shown, outcome=query.outcome, limit=query.limit, after=query.continuation
    )
    filters = {name: text for name, text in given.items() if name != "continuation"}
    chosen = filters | ({"part": str(group)} if group > 1 else {})
    return Runs(
        runs=await listed(client, services, page.items),
        pipelines=tuple(known),
        pipeline=given.get("pipeline", ""),
        outcome=given.get("outcome", ""),
        outcomes=tuple(each.value for each in Outcome),
        first="continuation" not in given,
        start=_address(chosen),
        next=_address(chosen | {"continuation": page.next}) if page.next else "",
        group=group,
        groups=groups,
        between=(shown[0], shown[-1]) if shown else ("", ""),
        before=_address(filters | {"part": str(group - 1)}) if group > 1 else "",
        after=_address(filters | {"part": str(group + 1)}) if group < groups else "",
    )


def _address(query: Mapping[str, str]) -> str:
    return f"/ui/runs?{urlencode(query)}" if query else "/ui/runs"
