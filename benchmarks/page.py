"""The page over a ledger with 10,000 runs and 100,000 arrivals: how long the app takes for a screen, and what it asks.

In one process, over tables in memory (``tests/support/page_crowd.py``): what is measured is the app's own work from a
request to its answer, beside the operation that only says that the app is up. What the tables, the host and a site take
comes on top, and is counted in requests.
"""

import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import azure.functions as func

from benchmarks.report import Row
from function_app.api.handlers import respond
from function_app.api.operations import OPERATIONS
from shared.decisions.arrivals.day_counts import HISTORY, SETTLED_AFTER
from tests.simulation.world import World
from tests.support.page_costs import rows_read, table_requests
from tests.support.page_crowd import Crowd, crowded
from tests.support.page_world import get

RUNS, ARRIVALS = 10_000, 100_000
TIMES: Final = 20
MOST_MS: Final = 100.0
MOST_ROWS: Final = 400
ROWS_OF_A_YEAR: Final = HISTORY.days + SETTLED_AFTER.days + 1
"""Counts of days, which the page of a pipeline reads too."""


def run() -> list[Row]:
    """A row for each screen, and one for what they ask of the tables against a tenth of the ledger."""
    with TemporaryDirectory(prefix="page-") as folder:
        with crowded(Path(folder) / "tenth", runs=RUNS // 10, arrivals=ARRIVALS // 10) as crowd:
            few = {name: table_requests(crowd.world, address) for name, address in _counted(crowd).items()}
        with crowded(Path(folder) / "all", runs=RUNS, arrivals=ARRIVALS) as crowd:
            try:
                return _measured(crowd, few)
            finally:
                gc.unfreeze()


def _measured(crowd: Crowd, few: dict[str, int]) -> list[Row]:
    world = crowd.world
    gc.collect()
    gc.freeze()  # the rows of the tables are no part of an app's memory, which the collector looks through
    bare, _ = _median(lambda: _health(world))
    many: dict[str, int] = {}
    rows: list[Row] = []
    for name, address in _counted(crowd).items():
        before = rows_read(world)
        many[name] = table_requests(world, address)
        read = rows_read(world) - before
        most_rows = MOST_ROWS + (ROWS_OF_A_YEAR if name.startswith("data") else 0)
        assert read <= most_rows, f"{name} reads {read} rows"
        size = len(get(world, address).get_body()) / 1000
        took, cpu = _median(partial(get, world, address))
        rows.append(
            Row(
                what=f"the app's time for a screen with {RUNS:,} runs and {ARRIVALS:,} arrivals: {name}",
                ours=f"{took:.0f} ms",
                baseline=f"at most {MOST_MS:.0f} ms",
                ratio=took / MOST_MS,
                goal=1.0,
                remark=f"{cpu:.0f} ms of CPU, {many[name]} table requests, {read} rows, {size:.0f} kB of HTML",
            )
        )
    slowest = max(many, key=lambda name: many[name])
    counts = Row(
        what=f"table requests of all screens: {RUNS:,} runs and {ARRIVALS:,} arrivals against a tenth",
        ours=f"{sum(many.values())}",
        baseline=f"{sum(few.values())}",
        ratio=sum(many.values()) / sum(few.values()),
        goal=1.0,
        remark=f"{slowest} makes the most, {many[slowest]}; the bare health operation takes {bare:.1f} ms",
    )
    return [*rows, counts]


def _counted(crowd: Crowd) -> dict[str, str]:
    """The screens but the one that says that there is none."""
    return {name: address for name, address in crowd.screens.items() if name != "missing"}


def _median(done: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of a repeat, and of CPU; the first time is not counted."""
    done()
    gc.collect()
    taken: list[float] = []
    used: list[float] = []
    for _ in range(TIMES):
        began, before = time.perf_counter(), time.process_time()
        done()
        taken.append((time.perf_counter() - began) * 1000)
        used.append((time.process_time() - before) * 1000)
    return statistics.median(taken), statistics.median(used)


def _health(world: World) -> None:
    """What the host's probe asks."""
    operation = next(each for each in OPERATIONS if each.name == "health")
    asked = func.HttpRequest(method="GET", url="http://127.0.0.1/api/health", headers={}, params={}, body=b"")
    world.play(respond(operation, asked, world.services, None))
