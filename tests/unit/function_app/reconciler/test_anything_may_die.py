"""Anything may die at any point, be told or not, while the clock jumps: in the end nothing is left undone.

The ledger, the admission, the compute queue and the reconciler are the real ones. Orchestrations are scripts with the
same steps in the same order, each of which may be the last; of an ended one, children live on, as on the real host.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from activities.acquire_compute import acquire_compute
from function_app.activity_wiring import admit_run, record_run
from function_app.durable_client import start_once
from function_app.reconciler.cycle import run_cycle
from shared.errors import PermanentError
from shared.messages import (
    Admission,
    AdmissionRequest,
    ArrivalWindow,
    Cause,
    ComputeTicket,
    Outcome,
    RunEnd,
    RunRecord,
    RunRequest,
    Snapshot,
    Stage,
    Turn,
    Verdict,
    WindowVerdict,
)
from shared.pipelines import Pipeline
from shared.training_code.job_trees import JobTree
from shared.values.wire import from_wire, to_wire
from tests.support.arrivals import an_arrival
from tests.support.durable_client import RuntimeStatus
from tests.support.examples import examples
from tests.support.jobs import MemoryJobs, a_job_tree
from tests.support.ledger_arrivals import join, open_runs
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.unit.function_app.reconciler.paged_hub import PagedHub

ALIVE = {RuntimeStatus.Pending, RuntimeStatus.Running, RuntimeStatus.Suspended}
TRAINING_STEPS = RECORDING_STEPS = 4
RECORDING = {"stage": Stage.RECORDING.value}


@dataclass
class Orchestration:
    name: str
    script: Iterator[None]
    runtime_status: Any = RuntimeStatus.Running
    custom_status: Any = None
    output: Any = None
    last_updated_time: datetime | None = None
    message: str = ""

    @property
    def alive(self) -> bool:
        return self.runtime_status in ALIVE


class SnapshotHub(PagedHub):
    """Also what the admission asks of a hub."""

    def take_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        listing = self.listing(pipeline)
        return Snapshot(
            site=pipeline.data.site,
            container=pipeline.data.container,
            manifest=f"{pipeline.name}/{listing.digest}.json",
            digest=listing.digest,
            blobs=listing.blobs,
            size=listing.size,
            newest=listing.newest,
            listing=listing.digest,
        )


class FixedCode:
    def read(self, folder: str) -> JobTree:
        return a_job_tree(folder)


@dataclass
class Engine:
    """The Durable client and what runs behind it. ``dies_at_start``: how many starts from now fail."""

    world: WatchedWorld
    instances: dict[str, Orchestration] = field(default_factory=dict)
    trainings: list[str] = field(default_factory=list)
    recovered: set[str] = field(default_factory=set)
    dies_at_start: int = 0

    async def get_status(self, instance_id: str) -> Orchestration:
        found = self.instances.get(instance_id)
        return found or Orchestration("", iter(()), runtime_status=None)

    async def start_new(self, name: str, instance_id: str, given: Any) -> str:
        if self.dies_at_start:
            self.dies_at_start -= 1
            raise ConnectionError("the host was killed")
        kept = self.instances.get(instance_id)
        if kept is not None and kept.alive:
            raise RuntimeError(f"{instance_id} is running")
        script: Callable[[Engine, str, Any], Iterator[None]] = SCRIPTS[name]
        self.instances[instance_id] = Orchestration(
            name, script(self, instance_id, given), last_updated_time=self.world.now
        )
        return instance_id

    async def terminate(self, instance_id: str, reason: str) -> None:
        self.end(instance_id, RuntimeStatus.Terminated)

    async def get_status_by(self, start: datetime, end: datetime, statuses: list[Any]) -> list[Any]:
        """Nothing here grows old."""
        return []

    async def purge_instance_history(self, instance_id: str) -> None:
        del self.instances[instance_id]

    def start_child(self, run: RunRequest) -> Orchestration:
        kept = self.instances.get(run.run_id)
        assert kept is None, f"{run.run_id} was started by somebody else than its living owner"
        asyncio.run(self.start_new("retrain_model", run.run_id, to_wire(run)))
        return self.instances[run.run_id]

    def advance(self, instance_id: str) -> None:
        found = self.instances[instance_id]
        found.last_updated_time = self.world.now
        try:
            next(found.script)
        except StopIteration:
            found.runtime_status = RuntimeStatus.Completed
        except PermanentError as error:
            found.runtime_status, found.output = RuntimeStatus.Failed, error.reason

    def end(self, instance_id: str, status: RuntimeStatus) -> None:
        found = self.instances[instance_id]
        found.runtime_status, found.output = status, "it was ended"
        found.last_updated_time = self.world.now
        found.script = iter(())
        if status is RuntimeStatus.Failed and found.custom_status == RECORDING:
            self.recovered.add(instance_id)

    def alive(self) -> list[str]:
        return [instance_id for instance_id, found in self.instances.items() if found.alive]


def settle_arrivals(engine: Engine, _: str, given: Any) -> Iterator[None]:
    window, ledger = from_wire(ArrivalWindow, given), engine.world.ledger
    yield
    ledger.arrivals.close_window(window)
    yield
    admission = _admitted(engine, window.window_id, Cause.NEW_DATA)
    yield
    ledger.arrivals.record_verdict(
        WindowVerdict(
            window_id=window.window_id,
            pipeline=window.pipeline,
            verdict=admission.verdict,
            reason=admission.reason,
            run_id=admission.run_id,
        )
    )
    yield
    yield from _child(engine, admission)


def request_run(engine: Engine, instance_id: str, _: Any) -> Iterator[None]:
    yield
    admission = _admitted(engine, instance_id, Cause.OPERATOR)
    yield
    yield from _child(engine, admission)


def retrain_model(engine: Engine, instance_id: str, given: Any) -> Iterator[None]:
    run, ledger = from_wire(RunRequest, given), engine.world.ledger
    while _turn(engine, run) is Turn.WAITING:
        yield
    yield
    engine.trainings.append(run.run_id)
    for _ in range(TRAINING_STEPS):
        yield
    ledger.computes.give_back(run.plan.compute, run.run_id, engine.world.now)
    engine.instances[instance_id].custom_status = RECORDING
    for _ in range(RECORDING_STEPS):
        yield
    record = ledger.runs.run(run.run_id)
    assert record is not None
    ended = {"outcome": Outcome.NOT_PROMOTED.value, "reason": "the champion stays"}
    record_run(from_wire(type(record), to_wire(record) | ended), engine.world.services)
    yield


def finalize_orphaned_run(engine: Engine, _: str, given: Any) -> Iterator[None]:
    end, ledger = from_wire(RunEnd, given), engine.world.ledger
    yield
    ledger.computes.give_back(end.compute, end.record.run_id, engine.world.now)
    yield
    record_run(end.record, engine.world.services)
    yield


SCRIPTS = {
    "settle_arrivals": settle_arrivals,
    "request_run": request_run,
    "retrain_model": retrain_model,
    "wind_up_run": finalize_orphaned_run,
}


def _request(engine: Engine, requested_by: str, cause: Cause) -> AdmissionRequest:
    return AdmissionRequest(pipeline=PIPELINE, cause=cause, requested_by=requested_by, requested_at=engine.world.now)


def _admitted(engine: Engine, requested_by: str, cause: Cause) -> Admission:
    return admit_run(_request(engine, requested_by, cause), engine.world.services)


def _child(engine: Engine, admission: Admission) -> Iterator[None]:
    if admission.start and admission.run is not None:
        child = engine.start_child(admission.run)
        while child.alive:
            yield


def _turn(engine: Engine, run: RunRequest) -> Turn:
    ticket = ComputeTicket(
        compute=run.plan.compute,
        run_id=run.run_id,
        pipeline=run.pipeline,
        rule=run.plan.queue,
        asked_at=engine.world.now,
        expected_seconds=60,
    )
    ledger = engine.world.ledger
    return acquire_compute(
        ticket, slots=1, queues=ledger.computes, runs=ledger.runs, approvals=ledger.approvals, now=engine.world.now
    ).turn


class Story:
    """What happens, step by step; each takes a number that decides how, or to whom."""

    def __init__(self, folder: Path) -> None:
        self.world = WatchedWorld(folder)
        self.engine = Engine(self.world)
        self.hub = SnapshotHub()
        self.world.services.__dict__ |= {"hubs": self.hub, "job_folders": FixedCode(), "frozen_jobs": MemoryJobs()}
        self.landed = 0

    def data_lands(self, _: int) -> str:
        self.landed += 1
        name = f"landing/part-{self.landed}.csv"
        self.hub.lands(name, at=self.world.now)
        return name

    def data_lands_and_is_reported(self, number: int) -> None:
        name, now = self.data_lands(number), self.world.now
        arrival = an_arrival(event_id=name, blob=name, etag=name, occurred_at=now, received_at=now)
        start = join(self.world.ledger.arrivals, PIPELINE, arrival).start
        if start is not None and number % 3:  # else whoever opened the window dies
            asyncio.run(start_once(self.engine, "settle_arrivals", start.window_id, start))
            self.world.ledger.arrivals.window_started(start)

    def somebody_asks(self, _: int) -> None:
        asked = _request(self.engine, f"http-{len(self.engine.instances)}", Cause.OPERATOR)
        asyncio.run(start_once(self.engine, "request_run", asked.requested_by, asked))

    def everything_goes_on(self, number: int) -> None:
        for _ in range(number + 1):
            for instance_id in self.engine.alive():
                if self.engine.instances[instance_id].alive:  # still, after the others went on
                    self.engine.advance(instance_id)

    def something_goes_on(self, number: int) -> None:
        if alive := self.engine.alive():
            self.engine.advance(alive[number % len(alive)])

    def something_dies(self, number: int) -> None:
        if alive := self.engine.alive():
            status = RuntimeStatus.Terminated if number // 3 % 2 else RuntimeStatus.Failed
            self.engine.end(alive[number % len(alive)], status)

    def a_pass(self, number: int) -> None:
        self.engine.dies_at_start = max(0, number - 9)
        self.cycle(timedelta(minutes=2))
        self.engine.dies_at_start = 0

    def the_clock_is_set(self, number: int) -> None:
        self.world.now += timedelta(hours=number - 6)

    def cycle(self, pause: timedelta) -> None:
        self.world.now += pause
        asyncio.run(run_cycle(self.world.services, self.engine, self.world.now))

    def comes_to_rest(self) -> None:
        for _ in range(40):
            self.everything_goes_on(30)
            if not self.left_undone():
                return
            self.cycle(timedelta(minutes=10))

    def left_undone(self) -> list[object]:
        """What is neither decided nor under way; empty in the end."""
        ledger = self.world.ledger
        arrivals = ledger.arrivals.list_arrivals(PIPELINE, limit=1000).items
        return [
            *ledger.arrivals.unfinished_windows(),
            *open_runs(ledger.runs, PIPELINE),
            *(entry for entry in arrivals if entry.verdict is Verdict.JOINED),
            *ledger.computes.state("hub-vm").waiting,
            *([] if self._decided() else ["the data that lies there now"]),
        ]

    def runs(self) -> tuple[RunRecord, ...]:
        return self.world.ledger.runs.list_runs([PIPELINE], limit=1000).items

    def _decided(self) -> bool:
        if not self.hub.blobs:
            return True
        decided = self.world.ledger.listings.last_decided(PIPELINE)
        listing = self.hub.listing(self.world.services.pipelines.get(PIPELINE))
        return decided is not None and decided.listing == listing.digest


STEPS = [
    Story.data_lands,
    Story.data_lands_and_is_reported,
    Story.somebody_asks,
    Story.everything_goes_on,
    Story.everything_goes_on,
    Story.something_goes_on,
    Story.something_dies,
    Story.a_pass,
    Story.a_pass,
    Story.the_clock_is_set,
]


@examples(60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), min_size=15, max_size=40))
def test_whatever_dies_nothing_is_left_undone_and_nothing_is_trained_twice(
    steps: list[tuple[Callable[[Story, int], object], int]],
) -> None:
    with tempfile.TemporaryDirectory(prefix="watching-") as folder:
        story = Story(Path(folder))
        for step, number in steps:
            step(story, number)
            assert len(story.world.ledger.computes.state("hub-vm").holders) <= 1
            _trains_once(story)

        story.comes_to_rest()

        assert story.left_undone() == []
        _trains_once(story)
        ended = {run.run_id for run in story.runs() if run.outcome is not None}
        assert {run.run_id for run in story.runs()} == ended
        assert set(story.engine.trainings) <= ended


def _trains_once(story: Story) -> None:
    """Of one fingerprint at most one run is under way, or came to a verdict; others come only after failed ones."""
    good = Counter(run.fingerprint for run in story.runs() if run.outcome in {None, Outcome.NOT_PROMOTED})
    assert all(count == 1 for count in good.values()), good
    again = {run_id for run_id, count in Counter(story.engine.trainings).items() if count > 1}
    assert again <= story.engine.recovered, "only a run that failed to record goes on, and finds its training"
