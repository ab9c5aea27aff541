"""Runs under way, from what the ledger has of unfinished ones: all of them, however many have been asked for since."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import azure.durable_functions as df

from function_app.api.models import RunView
from function_app.api.run_views import run_view
from function_app.composition import Services
from function_app.page.decisions import Decision, decisions_of
from shared.messages import CLAIMED, RunRequest, first_record
from shared.pipelines.parts import NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """Runs of a pipeline, newest first. ``views``: run -> where it stands, of those of which the host was asked."""

    requests: tuple[RunRequest, ...]
    views: Mapping[str, RunView] = field(default_factory=dict)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What somebody must decide about them, as far as the host was asked."""
        return tuple(decision for run in self.views.values() for decision in decisions_of(run))


async def under_way(name: str, services: Services) -> UnderWay:
    """Every run of the pipeline without an outcome, by one request to the ledger; none of what is no name."""
    if not re.fullmatch(NAME, name):  # the tables refuse some characters in keys, so they are not queried
        return UnderWay(requests=())
    found = await asyncio.to_thread(services.ledger.runs.unfinished, name)
    requests = sorted((each.request for each in found), key=lambda request: request.requested_at, reverse=True)
    return UnderWay(requests=tuple(requests))


async def waiting(
    names: Iterable[str], services: Services, client: df.DurableOrchestrationClient
) -> dict[str, UnderWay]:
    """Runs of these pipelines; the host is asked for those that may wait for somebody's yes."""

    async def one(name: str) -> UnderWay:
        found = await under_way(name, services)
        return await looked_at(
            found, [each for each in found.requests if each.plan.delivery.approval], services, client
        )

    asked = list(names)
    return dict(zip(asked, await asyncio.gather(*map(one, asked)), strict=True))


async def looked_at(
    found: UnderWay, requests: Iterable[RunRequest], services: Services, client: df.DurableOrchestrationClient
) -> UnderWay:
    """The same, with where these runs stand."""
    new = [each for each in requests if each.run_id not in found.views]
    views = await asyncio.gather(*(run_view(client, services, first_record(each, reason=CLAIMED)) for each in new))
    return UnderWay(requests=found.requests, views={**found.views, **{view.run_id: view for view in views}})
