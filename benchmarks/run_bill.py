"""What a run costs, and an idle hour: function executions, orchestrator turns, history rows, requests to the services.

Counted, not timed: the real triggers, orchestrations, activities and ledger over the local host's engine, with storage
in memory that counts its requests and a clock that is moved (``tests/simulation``). Registry and VM are not called; the
activities that would are counted and answered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.report import Row
from shared.messages import (
    BuiltImage,
    Done,
    RegisteredModel,
    ReplyTo,
    delivery_of,
)
from tests.simulation.world import World
from tests.support.arrivals import a_pipeline
from tests.support.training import MemoryRegistry

PIPELINE = "breast-cancer"
TRAINING = timedelta(minutes=10)
MOST_BY_A_FILE, MOST_BY_A_MESSAGE, MOST_WITH_CANARY, MOST_IDLE = 40, 38, 70, 60
"""The goals. They do not follow what is counted: a run that costs more misses its goal."""
STEPS = [5, 25, 50]
WATCH_EVERY = timedelta(minutes=2)
IMAGE = "registry.example/models/breast-cancer@sha256:" + "ab" * 32
ANSWERS = {
    "register_model": RegisteredModel(name=PIPELINE, version="1"),
    "build_image": BuiltImage(repository="models/breast-cancer", digest="sha256:" + "ab" * 32, reference=IMAGE),
    "issue_passport": Done(),
}


@dataclass(frozen=True, slots=True)
class Bill:
    """What something cost."""

    executions: int
    turns: int
    history_rows: int
    tables: int
    blobs: int
    bus: int
    events: int

    def __sub__(self, other: "Bill") -> "Bill":
        return Bill(*(getattr(self, name) - getattr(other, name) for name in self.__slots__))

    @property
    def details(self) -> str:
        """Everything but the executions."""
        return (
            f"{self.turns} orchestrator turns, {self.history_rows} history rows, {self.tables} table requests, "
            f"{self.blobs} blob requests, {self.bus} Service Bus operations, {self.events} events published"
        )


def run() -> list[Row]:
    """A run that a file started, one that a message asked for, and an hour in which nothing happens."""
    return [
        _row("a run with a ten-minute training, started by a file", _by_a_file(), MOST_BY_A_FILE),
        _row("a run with a ten-minute training, asked for by a message", _by_a_message(), MOST_BY_A_MESSAGE),
        _row("a run with a canary of three steps of five minutes", _with_a_canary(), MOST_WITH_CANARY),
        _row("an idle hour, two pipelines", _idle_hour(), MOST_IDLE),
    ]


def _row(what: str, bill: Bill, most: int) -> Row:
    return Row(
        what=f"function executions of {what}",
        ours=str(bill.executions),
        baseline=f"at most {most}",
        ratio=bill.executions / most,
        goal=1.0,
        remark=bill.details,
    )


@contextmanager
def _world(*pipelines: str, strategy: dict[str, Any] | None = None) -> Iterator[World]:
    """A world with data in every pipeline's container, of which nobody was told."""
    with TemporaryDirectory(prefix="run-bill-") as folder:
        files = Path(folder) / "pipelines"
        files.mkdir()
        for name in pipelines:
            values = a_pipeline(name, container=name).model_dump(mode="json", exclude_none=True)
            values["train"]["expected_seconds"] = TRAINING.total_seconds()
            values["judge"]["floor"] = 0.1
            if strategy:
                values["deliver"]["strategy"] = strategy
                values["judge"]["margin"] = -0.01  # as good as the model before is enough
            (files / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        world = World(files, Path(folder) / "hub.sqlite", answers=ANSWERS)
        world.driver.takes = TRAINING
        world.services.__dict__["model_registry"] = MemoryRegistry()
        for name in pipelines:
            world.upload(name, "holdout/holdout.csv")
        try:
            yield world
        finally:
            world.close()


def _by_a_file() -> Bill:
    with _world(PIPELINE) as world:
        event = world.upload(PIPELINE, "landing/part-1.csv")
        before = bill_of(world)
        world.deliver([event])
        bill = _until_promoted(world) - before
        _check(bill, world)
        assert bill.bus == 0, "nobody asked by message"
        return bill


def _by_a_message() -> Bill:
    with _world(PIPELINE) as world:
        world.upload(PIPELINE, "landing/part-1.csv")
        before = bill_of(world)
        world.request(PIPELINE, "bus-1", reply=ReplyTo(message_id="message-1"))
        bill = _until_promoted(world) - before
        _check(bill, world)
        assert bill.bus >= 2, "who asked by message was answered"
        return bill


def _with_a_canary() -> Bill:
    """The second run of a pipeline: the first one has nothing to be held against."""
    with _world(PIPELINE, strategy={"steps": STEPS, "soak_seconds": 300}) as world:
        world.deliver([world.upload(PIPELINE, "landing/part-1.csv")])
        _until_promoted(world)
        event = world.upload(PIPELINE, "landing/part-2.csv")
        before = bill_of(world)
        world.deliver([event])
        bill = _until_promoted(world, runs=2) - before
        _check(bill, world)
        run = world.ledger.runs.list_runs([PIPELINE]).items[0]
        assert len(run.targets[0].canary) == len(STEPS), f"there was no whole canary: {run.targets}"
        return bill


def _check(bill: Bill, world: World) -> None:
    """A whole run cannot have cost less than one of each, and every activity of it was counted."""
    for activity in (*ANSWERS, "submit_training", "apply_plan", "observe_target", "record_run"):
        assert world.executions[activity], f"no {activity} was counted: {sorted(world.executions)}"
    queues = [world.ledger.computes.state(queue) for queue in (a_pipeline().train.compute, delivery_of(PIPELINE))]
    assert not any(queue.holders for queue in queues), f"not given back: {queues}"
    assert min(bill.executions, bill.turns, bill.history_rows, bill.tables, bill.blobs, bill.events) > 0, bill


def _idle_hour() -> Bill:
    with _world("one", "two") as world:
        for name in ("one", "two"):
            world.deliver([world.upload(name, "landing/part-1.csv")])
        for _ in range(15):  # both are trained, and the reconciler has seen it
            cycle(world)
        for name in ("one", "two"):
            runs = world.ledger.runs.list_runs([name]).items
            assert [run.outcome for run in runs] == ["promoted"], f"{name} is not at rest: {runs}"
        before = bill_of(world)
        for _ in range(cycles := int(timedelta(hours=1) / WATCH_EVERY)):
            cycle(world)
        bill = bill_of(world) - before
        assert bill.executions >= cycles, f"{bill.executions} executions in {cycles} cycles: they were not counted"
        assert bill.blobs >= cycles, f"{bill.blobs} requests to the hub in {cycles} cycles: nobody looked"
        return bill


def cycle(world: World) -> None:
    """A cycle of which nothing failed: what a step would have asked for after that would not be counted."""
    world.advance(WATCH_EVERY)
    assert not (done := world.watch()).failed, done.summary


def _until_promoted(world: World, runs: int = 1) -> Bill:
    for _ in range(int(timedelta(minutes=40).total_seconds())):
        world.advance(timedelta(seconds=1))
        found = world.ledger.runs.list_runs([PIPELINE]).items
        world.tables.table("runs").requests -= 1  # ours, not the app's
        if len(found) == runs and found[0].outcome is not None:
            assert found[0].outcome == "promoted", found[0].reason
            world.advance(timedelta(seconds=1))
            return bill_of(world)
    raise AssertionError("the run has not ended")


def bill_of(world: World) -> Bill:
    """What everything so far has cost."""
    turns = sum(count for name, count in world.executions.items() if name.startswith("turn of "))
    answered = len(world.services.outbox.answered)
    return Bill(
        executions=sum(world.executions.values()) - turns,
        turns=turns,
        history_rows=world.host.hub.metrics()["history_rows_written"],
        tables=sum(table.requests for table in world.tables.tables.values()),
        blobs=world.blobs.requests,
        bus=answered + 2 * (answered > 0),  # the request is received and completed by the host
        events=len(world.services.outbox.announced),
    )
