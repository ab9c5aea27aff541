"""A roll-out to three targets at once against the slowest of the three alone.

First on a real serving VM (sshd, podman, HAProxy, a registry) that stands for three by a slot for each, driven by the
machine that decides roll-outs, with a canary and clients that score. Then whole runs by the shipped orchestrations in
virtual time, with targets of which one is slow: whatever waits for another target there shows, and nothing else does.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
import yaml

from benchmarks.report import Row
from shared.messages import BuiltImage, Done, RegisteredModel, Strategy
from tests.simulation.world import World
from tests.support.arrivals import a_pipeline
from tests.support.driven_roll_out import a_rollout, rolled_out
from tests.support.scripted_target import Behaviour
from tests.support.serving_host import running_serving_host
from tests.support.serving_place import Place

TARGETS = ("first", "second", "third")
GOAL = 1.15
REAL = Strategy(steps=(20, 60), soak_seconds=6, least_requests=10, watch_seconds=3)
BETWEEN_REQUESTS = 0.1  # seconds, of each target's client
SIMULATED = {"steps": [10, 50], "soak_seconds": 60, "least_requests": 20, "watch_seconds": 10}
STARTS = {"first": 5.0, "second": 15.0, "third": 40.0}  # seconds until a candidate is healthy
PIPELINE = "breast-cancer"
_ANSWERS = {
    "register_model": RegisteredModel(name=PIPELINE, version="1"),
    "build_image": BuiltImage(repository="r", digest="sha256:1", reference="r@sha256:1"),
    "issue_passport": Done(),
}


def run() -> list[Row]:
    """Some three minutes."""
    return [_on_machines(), _by_orchestrations()]


def _on_machines() -> Row:
    with TemporaryDirectory(prefix="tt-") as folder, running_serving_host(Path(folder)) as host:
        places = [Place(host, name) for name in TARGETS]
        for place in places:
            place.fulfil(place.release(1, 100))
        alone = [_seconds([place], version=2) for place in places]
        together = _seconds(places, version=3)
    return _row("three slots of a serving VM with a canary of two steps", together, max(alone))


def _seconds(places: list[Place], version: int) -> float:
    """Until the last of the places serves that version alone."""
    releases = [place.release(version) for place in places]  # pushed before the clock runs
    with ExitStack() as stack, ThreadPoolExecutor(len(places)) as workers:
        for place in places:
            stack.enter_context(_scoring(place))
        began = time.monotonic()
        results = list(
            workers.map(
                rolled_out,
                places,
                [a_rollout(place, release, REAL) for place, release in zip(places, releases, strict=True)],
            )
        )
        taken = time.monotonic() - began
    assert all(result.deployed and len(result.canary) == len(REAL.steps) for result in results), results
    assert {place.version() for place in places} == {version}
    return taken


@contextmanager
def _scoring(place: Place) -> Iterator[None]:
    """A client that scores now and then: a canary needs requests."""
    stop = threading.Event()

    def score() -> None:
        with requests.Session() as session:
            while not stop.wait(BETWEEN_REQUESTS):
                session.post(f"{place.url}/score", json={"data": [1]}, timeout=10).raise_for_status()

    with ThreadPoolExecutor(1) as worker:
        scoring = worker.submit(score)
        try:
            yield
        finally:
            stop.set()
    scoring.result()


def _by_orchestrations() -> Row:
    alone = [_virtual_seconds([name]) for name in TARGETS]
    together = _virtual_seconds(list(TARGETS))
    return _row("three targets of which one starts slowly, by the orchestrations in virtual time", together, max(alone))


def _virtual_seconds(names: list[str]) -> float:
    """From the first orchestrator turn of a roll-out to the end of the run."""
    with TemporaryDirectory(prefix="tt-") as folder:
        files = Path(folder) / "pipelines"
        files.mkdir()
        values = a_pipeline(PIPELINE, container=PIPELINE).model_dump(mode="json", exclude_none=True)
        values["train"]["expected_seconds"] = 60
        values["judge"] |= {"floor": 0.1, "margin": -0.01}
        values["deliver"] |= {"targets": [{"name": name} for name in names], "strategy": SIMULATED}
        (files / f"{PIPELINE}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        world = World(files, Path(folder) / "hub.sqlite", answers=_ANSWERS)
        try:
            for name in names:
                world.targets.of(name, PIPELINE).otherwise = Behaviour(starts=STARTS[name])
            world.upload(PIPELINE, "holdout/holdout.csv")
            for number in (1, 2):  # only the second run has a model to be held against
                world.upload(PIPELINE, f"landing/part-{number}.csv")
                world.request(PIPELINE, f"http-{number}")
                seconds = _rolled_out(world, runs=number)
            return seconds
        finally:
            world.close()


def _rolled_out(world: World, runs: int) -> float:
    turns, began = world.executions["turn of roll_out"], None
    for _ in range(int(timedelta(minutes=40).total_seconds())):
        world.advance(timedelta(seconds=1))
        if began is None and world.executions["turn of roll_out"] > turns:
            began = world.clock.now()
        found = world.ledger.runs.list_runs([PIPELINE]).items
        if len(found) == runs and found[0].outcome is not None:
            assert found[0].outcome == "promoted", found[0].reason
            assert began is not None
            return (world.clock.now() - began).total_seconds()
    raise AssertionError("the run has not ended")


def _row(what: str, together: float, slowest: float) -> Row:
    return Row(
        what=f"roll-out to {what}, against the slowest alone",
        ours=f"{together:.1f} s",
        baseline=f"{slowest:.1f} s",
        ratio=together / slowest,
        goal=GOAL,
    )
