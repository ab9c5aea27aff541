"""Many drops of data; the events that tell of them come twice, in disorder, and a third of them not at all.

However they come, and however often the host, with its three worker processes, dies on the way: what lies in each
container at the end is trained, each snapshot was trained once, and every event that came has its verdict.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from local_stack.app_client import AppClient, Landed, app_client, deadline, land, land_all
from local_stack.demo_data import HOLDOUT_BLOB, breast_cancer_story
from local_stack.site_agent import SiteAgent, site_agent
from local_stack.supervisor import Stack
from tests.support.azure_ml_view import trainings
from tests.support.changed_app import ChangedApp

SEED: Final = 11
LOST: Final = 0.3
CHAOS: Final[Mapping[str, float]] = {"seed": SEED, "drop": LOST, "duplicates": 1, "shuffle": 2}
PACE_SECONDS: Final = 0.05
"""Between two drops: far less than the quiet period, so that a window has many drops, also on a slow machine.

Several windows per pipeline come of drops that go on for longer than a window may wait, and of events that come late.
"""
RETRY_SCALE: Final = 0.01
"""Of the service's waits (ten seconds, half a minute, a minute, five), which ten deaths of the host would make long."""
PIPELINES: Final = ("drops-1", "drops-2")
NEVER: Final = -1.0
"""A floor that no log loss reaches: the trainings are real, and nothing is rolled out."""
WORKERS: Final = 3
"""Processes that the app runs in, as when it is scaled out: none knows what another remembers."""

Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was done to the app. ``uploaded``: pipeline -> files in its container."""

    names: Mapping[str, str]
    uploaded: Counter[str]
    happened: Mapping[str, int]


@pytest.fixture(scope="module")
def changed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangedApp]:
    """The app with pipelines for calm drops and for those with a dying host, each with a container of its own."""
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("drops") / "app")
    for kind in ("calm", "dying"):
        for name in PIPELINES:
            app.add_pipeline(
                f"{kind}-{name}",
                data={"container": f"{kind}-{name}"},
                settle={"quiet_seconds": 10, "longest_wait_seconds": 40},
                train={"expected_seconds": 2},
                judge={"floor": NEVER},
            )
            land(stack.endpoints, f"{kind}-{name}", HOLDOUT_BLOB, breast_cancer_story().holdout)
    settings = {"EDGETRAIN_COMPUTES__HUB_VM__SLOTS": "2", "FUNCTIONS_WORKER_PROCESS_COUNT": str(WORKERS)}
    with app.deployed(stack, **settings):
        yield app


@pytest.fixture
def agent(stack: Stack, changed: ChangedApp) -> Iterator[SiteAgent]:
    """Tells of blobs by Event Grid, which does to the events what is tested here."""
    with site_agent(stack.endpoints) as agent:
        agent.subscribe(retry_scale=RETRY_SCALE, **CHAOS)
        yield agent
        agent.subscribe()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kind", "drops", "deaths"), [("calm", 60, 0), ("dying", 200, 10)])
def test_what_lies_there_is_trained_once_whatever_happens_to_the_events(
    stack: Stack, changed: ChangedApp, agent: SiteAgent, kind: str, drops: int, deaths: int
) -> None:
    dropped = drop_everything(stack, agent, kind, drops, deaths)

    with app_client(stack.endpoints) as app:
        wait_until_all_is_decided(app, list(dropped.names.values()))
        runs = {name: app.runs(name) for name in dropped.names.values()}
        arrivals = [arrival for name in dropped.names.values() for arrival in app.arrivals(name)]

    started = trainings(stack.endpoints)
    for name, of_pipeline in runs.items():
        assert {run["outcome"] for run in of_pipeline} == {"not_promoted"}, [run["reason"] for run in of_pipeline]
        fingerprints = Counter(run["fingerprint"] for run in of_pipeline)
        assert set(fingerprints.values()) == {1}, "each fingerprint was trained once"
        assert {started[run["run_id"]] for run in of_pipeline} == {1}, "and started once"
        assert max(run["blobs"] for run in of_pipeline) == dropped.uploaded[name], "the last one saw every file"
    came = dropped.happened["matched"] - dropped.happened["lost"]
    assert dropped.happened["lost"] > LOST / 2 * dropped.happened["matched"], "events were lost"
    assert len(arrivals) == came, "one row for each event that came"
    assert {arrival["verdict"] for arrival in arrivals} <= {"trained", "unchanged"}
    assert all(arrival["reason"] for arrival in arrivals)
    with app_client(stack.endpoints) as app:
        workers = app.workers()
    assert len(workers) == WORKERS
    assert all(each["calls"] > 0 for each in workers), "each of them has worked"


def drop_everything(stack: Stack, agent: SiteAgent, kind: str, drops: int, deaths: int) -> Dropped:
    """Let the drops land, one after the other, and the host die here and there; ends when Event Grid has done."""
    chance = random.Random(f"{SEED} {kind}")
    dying = set(chance.sample(range(drops // 20, drops), deaths))
    names = {name: f"{kind}-{name}" for name in PIPELINES}
    before, uploaded = agent.deliveries(), Counter[str]()
    lines = rows()
    for number in range(drops):
        name = names[chance.choice(PIPELINES)]
        files = {f"landing/{number:03}-{part}.csv": csv(chance, lines) for part in range(chance.randint(1, 3))}
        landed: list[Landed] = list(land_all(stack.endpoints, name, files))
        uploaded[name] += len(landed)
        agent.publish_written(landed)
        if number in dying:
            stack.kill("functions_host")
            stack.start_service("functions_host")
        time.sleep(PACE_SECONDS)
    after = agent.wait_until_delivered(seconds=900)
    return Dropped(names, uploaded, {key: after[key] - before[key] for key in ("matched", "lost")})


def wait_until_all_is_decided(app: AppClient, names: list[str]) -> None:
    """Fire the reconciler until nothing is left to do: no run under way, no arrival without verdict, nothing new."""
    for _ in deadline(1500, "a verdict on everything", pause=5):
        if all(decided(app, name) for name in names):
            return
        app.fire("keep_watch")
    raise AssertionError  # deadline() raises first


def decided(app: AppClient, name: str) -> bool:
    if any(run["outcome"] is None for run in app.runs(name)):
        return False
    if any(arrival["verdict"] == "joined" for arrival in app.arrivals(name)):
        return False
    answer = app.post(f"/api/pipelines/{name}/runs", {"dry_run": True})
    answer.raise_for_status()
    return not answer.json()["would_start"]


def rows() -> list[str]:
    """Rows of the real data set, header first."""
    return breast_cancer_story().first["landing/part-1.csv"].decode().splitlines()


def csv(chance: random.Random, lines: list[str]) -> bytes:
    """A file with some of the rows, of both kinds."""
    header, *body = lines
    kinds = [[row for row in body if row.endswith(f",{label}")] for label in ("0", "1")]
    chosen = [row for kind in kinds for row in chance.sample(kind, 6)]
    return "\n".join([header, *chosen, ""]).encode()
