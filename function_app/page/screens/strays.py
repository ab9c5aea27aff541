"""Events that concern no pipeline: files that nobody watches, and events that could not be read.

Bounded: :data:`SHOWN` events at a time, by one request to the ledger.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from function_app.api.lists import list_strays
from function_app.api.models import StrayKind, StraysPage, StraysQuery
from function_app.api.reading import query_of
from function_app.composition import Services
from function_app.page.serving import Asked

SHOWN: Final = 25
_ASKED: Final = ("kind", "continuation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """``first``: these are the newest ones."""

    events: StraysPage
    first: bool


async def view(asked: Asked, services: Services) -> Strays:
    """One page of one kind of them."""
    values = {"kind": StrayKind.OUTSIDE.value} | {name: asked.query[name] for name in _ASKED if asked.query.get(name)}
    query = query_of(StraysQuery, values | {"limit": str(SHOWN)})
    events = await asyncio.to_thread(list_strays, query, services)
    return Strays(events=events, first=query.continuation is None)
