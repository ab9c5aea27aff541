"""Why: what became of a file. One verdict, the sentence for it, and what it rests on.

Bounded: the API's answer takes :data:`BESIDES` requests to the ledger at the most, and three for each of the forty
newest events about the file: its text, the verdict on its window, its run. The names of pipelines take one, and files
that may be meant, when nothing is known of the one that is asked for, one of ten small parts.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

import azure.durable_functions as df

from function_app.api.explanations import why
from function_app.api.hub_threads import in_time
from function_app.api.known_pipelines import all_names
from function_app.api.models import Why, WhyQuery
from function_app.api.near_files import near_files
from function_app.api.reading import query_of
from function_app.composition import Services
from function_app.page.late import try_again
from function_app.page.serving import Asked
from shared.errors import PermanentError, TransientError
from shared.messages import Verdict

PATIENCE: Final = 20.0
"""Seconds that an answer waits for the storage of a site."""
BESIDES: Final = 20
NEWEST: Final = 20
"""Events that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyScreen:
    """``pipelines``: those to choose from. ``pipeline`` and ``blob``: what is asked for; empty for nothing yet.

    ``answer``: None when nothing was asked, or when it was ``refused``. ``known``: there is a file of that name, or
    something was said or decided about one. ``looked``: the storage was asked. ``near``: names that may be meant.
    """

    pipelines: tuple[str, ...]
    pipeline: str
    blob: str
    answer: Why | None = None
    refused: str = ""
    known: bool = False
    looked: bool = False
    near: tuple[str, ...] = ()


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> WhyScreen:
    """What became of the file that is asked for; without one, the newest to choose from."""
    names = await asyncio.to_thread(all_names, services)
    pipeline = asked.query.get("pipeline", "") or (names[0] if len(names) == 1 else "")
    blob = asked.query.get("blob", "")
    shown = WhyScreen(pipelines=tuple(names), pipeline=pipeline, blob=blob)
    if not pipeline:
        return shown
    if blob.strip():
        shown = await _asked(shown, services, client)
    if shown.known or shown.refused:
        return shown
    return replace(shown, near=tuple(await asyncio.to_thread(near_files, pipeline, blob, services)))


async def _asked(shown: WhyScreen, services: Services, client: df.DurableOrchestrationClient) -> WhyScreen:
    try:
        query = query_of(WhyQuery, {"pipeline": shown.pipeline, "blob": shown.blob})
        answer = await in_time(why(query, services, client), PATIENCE)
    except PermanentError as error:
        return replace(shown, refused=error.reason)
    except TransientError as error:
        return replace(shown, refused=try_again(error))
    return replace(
        shown,
        answer=replace(answer, arrivals=answer.arrivals[:NEWEST]),
        known=bool(answer.arrivals or answer.blob_now) or answer.verdict not in {None, Verdict.OUTSIDE},
        looked=any(each.name == shown.pipeline for each in services.pipelines.all),
    )
