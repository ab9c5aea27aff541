"""Many pipelines and many blobs against few: an idle hour, one pass of the reconciler, one run.

Counted, not timed, over storage in memory (``tests/simulation``): 2 pipelines on one site against 200 on 20, and a
container of 10,000 blobs against one of 1,000,000, listed 5,000 a page as the service does. ``benchmarks.snapshots``
lists real blobs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

import yaml

from benchmarks.report import Row
from benchmarks.run_bill import ANSWERS, WATCH_EVERY, Bill, bill_of, cycle
from shared.values.texts import counted
from tests.simulation import storage
from tests.simulation.world import World
from tests.support.arrivals import a_pipeline
from tests.support.training import MemoryRegistry

FEW, MANY, SITES = 2, 200, 20
FEW_BLOBS, MANY_BLOBS = 10_000, 1_000_000
SERVICE_PAGE = 5_000
AT_A_TIME = 10  # files delivered at once, so that not all pipelines train at the same moment
MOST_SECONDS = 60.0
TABLE_SECONDS, HUB_SECONDS = 0.010, 0.050
"""Of a request, one after the other: a table in the app's region, a hub over a wide area network."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a number of pipelines costs."""

    hour: Bill
    longest_pass: Bill
    run: Bill


def run() -> list[Row]:
    """Pipelines first, then blobs."""
    few, many = pipelines(FEW, 1), pipelines(MANY, SITES)
    times = MANY / FEW
    seconds = many.longest_pass.tables * TABLE_SECONDS + many.longest_pass.blobs * HUB_SECONDS
    rows = [
        _per("an idle hour", few.hour, many.hour, times),
        _per("the longest pass of the reconciler in that hour", few.longest_pass, many.longest_pass, times),
        Row(
            what=f"seconds of that pass for {MANY} pipelines, if each request waits for the one before",
            ours=f"{seconds:.0f} s",
            baseline=f"at most {MOST_SECONDS:.0f} s",
            ratio=seconds / MOST_SECONDS,
            goal=1.0,
            remark=f"{TABLE_SECONDS * 1000:.0f} ms for a table, {HUB_SECONDS * 1000:.0f} ms for a hub",
        ),
        _per("one run", few.run, many.run, 1.0),
    ]
    return rows + _blobs()


def _per(what: str, few: Bill, many: Bill, times: float) -> Row:
    """Requests and executions of many against few; a ratio of 1 is linear where ``times`` is that of the pipelines."""
    ours, baseline = work(many), work(few)
    return Row(
        what=f"requests and executions of {what}: {MANY} pipelines on {SITES} sites against {FEW} on one",
        ours=f"{ours:,}",
        baseline=f"{baseline:,}" + (f" x {times:.0f}" if times > 1 else ""),
        ratio=ours / (baseline * times),
        goal=1.0,
        remark=f"{counted(many.executions, 'execution')}; {many.details}",
    )


def work(bill: Bill) -> int:
    """Executions, turns and requests."""
    return bill.executions + bill.tables + bill.blobs + bill.turns


@contextmanager
def _world(names: list[str], sites: int) -> Iterator[World]:
    """A world with these pipelines, each with a container of its own, and a hold-out in it."""
    with TemporaryDirectory(prefix="scale-") as folder, patch.object(storage, "PAGE", SERVICE_PAGE):
        files = Path(folder) / "pipelines"
        files.mkdir()
        for number, name in enumerate(names):
            values = a_pipeline(name, container=name).model_dump(mode="json", exclude_none=True)
            values["data"]["site"] = f"site-{number % sites}"
            values["train"]["expected_seconds"] = 60
            values["judge"]["floor"] = 0.1
            (files / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        world = World(files, Path(folder) / "hub.sqlite", answers=ANSWERS)
        world.driver.takes = timedelta(minutes=1)
        world.host.patience = 900  # a million blobs are listed without time passing
        world.services.compute = SimpleNamespace(slots=AT_A_TIME)
        world.services.__dict__["model_registry"] = MemoryRegistry()
        for name in names:
            world.upload(name, "holdout/holdout.csv")
        try:
            yield world
        finally:
            world.close()


def pipelines(count: int, sites: int) -> Weighed:
    """What so many pipelines on so many sites cost, once all of them are trained."""
    names = [f"pipeline-{number:03}" for number in range(count)]
    with _world(names, sites) as world:
        for start in range(0, count, AT_A_TIME):
            world.deliver([world.upload(name, "landing/part-1.csv") for name in names[start : start + AT_A_TIME]])
            _let_run(world, minutes=8)
        _at_rest(world, names)
        began = before = bill_of(world)
        passes: list[Bill] = []
        for _ in range(int(timedelta(hours=1) / WATCH_EVERY)):
            cycle(world)
            after = bill_of(world)
            passes.append(after - before)
            before = after
        world.deliver([world.upload(names[0], "landing/part-2.csv")])
        _let_run(world, minutes=8)
        return Weighed(before - began, max(passes, key=work), bill_of(world) - before)


def _let_run(world: World, *, minutes: int) -> None:
    for _ in range(minutes * 6):
        world.advance(timedelta(seconds=10))


def _at_rest(world: World, names: list[str]) -> None:
    """The reconciler has seen that everything is trained."""
    for _ in range(3):
        cycle(world)
    outcomes = {run.outcome for name in names for run in world.ledger.runs.list_runs([name]).items}
    assert outcomes == {"promoted"}, f"not at rest: {outcomes}"


def _blobs() -> list[Row]:
    few, many = _container(FEW_BLOBS), _container(MANY_BLOBS)
    times = MANY_BLOBS / FEW_BLOBS
    return [
        Row(
            what=f"requests to the hub in an idle pass: {MANY_BLOBS:,} blobs against {FEW_BLOBS:,}",
            ours=str(many[0].blobs),
            baseline=str(few[0].blobs),
            ratio=many[0].blobs / few[0].blobs,
            goal=1.0,
            remark="the hold-out, and the page that was the last",
        ),
        Row(
            what=f"requests to the hub of a run over {MANY_BLOBS:,} blobs against {FEW_BLOBS:,}",
            ours=f"{many[1].blobs:,}",
            baseline=f"{few[1].blobs:,} x {times:.0f}",
            ratio=many[1].blobs / (few[1].blobs * times),
            goal=1.0,
            remark=f"{many[1].executions} executions and {many[1].tables} table requests, as {few[1].executions} and"
            f" {few[1].tables} of the small one",
        ),
    ]


def _container(count: int) -> tuple[Bill, Bill]:
    """An idle pass over a container of that many blobs, and the run that trained them."""
    with _world(["large"], 1) as world:
        for number in range(count - 1):
            world.blobs.write("large", f"landing/{number:07}.csv", 100)
        event = world.upload("large", f"landing/{count:07}.csv")
        before = bill_of(world)
        world.deliver([event])
        _let_run(world, minutes=8)
        trained = bill_of(world) - before
        _at_rest(world, ["large"])
        before = bill_of(world)
        cycle(world)
        return bill_of(world) - before, trained
