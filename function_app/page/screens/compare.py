"""Compare: two runs side by side. Bounded: four requests to the ledger, and two manifests of the hub, read once."""

import asyncio
from dataclasses import dataclass

from function_app.api.comparisons import compare_runs
from function_app.api.delivery_models import Compared
from function_app.api.models import CompareQuery
from function_app.api.reading import query_of
from function_app.composition import Services
from function_app.page.screens.run_judgement import Interval, interval_of
from function_app.page.serving import Asked
from shared.values.texts import shortened

MOST_NAMES = 10
_LONGEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``found``: None while nothing, or one run only, is asked for. ``left``, ``right``: what was asked for."""

    left: str
    right: str
    found: Compared | None
    interval: Interval | None
    most: int = MOST_NAMES


async def view(asked: Asked, services: Services) -> Comparison:
    """Two runs; the form alone where it is not said which."""
    given = {name: asked.query.get(name, "").strip() for name in ("left", "right")}
    found = None
    if all(given.values()):
        found = await asyncio.to_thread(compare_runs, query_of(CompareQuery, given), services)
    return Comparison(
        left=shortened(given["left"], _LONGEST),
        right=shortened(given["right"], _LONGEST),
        found=found,
        interval=interval_of(found.interval) if found else None,
    )
