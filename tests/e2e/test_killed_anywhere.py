"""The host is killed at twelve points of one run; the run ends as if nothing had happened, and nothing is doubled."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, blob_created, land
from local_stack.demo_data import breast_cancer_story
from local_stack.supervisor import Stack
from local_stack.supervisor.app_settings import app_settings
from tests.support.azure_ml_view import answer_in_time, answer_late, model_versions, trainings
from tests.support.host_store import HostStore, wait_until

PIPELINE = "breast-cancer"
ROOT = Path(__file__).resolve().parents[2]
DELIVERED = {200, 202}

RUNNING = "running"  # handed out, not answered: its effect may have happened or not
EFFECT = "effect"  # what it does is done and can be seen; its answer may be stored or not
ANSWERED = "answered"
POINTS = (
    ("admit_run", RUNNING),
    ("admit_run", ANSWERED),
    ("submit_training", RUNNING),
    ("submit_training", EFFECT),
    ("check_training", RUNNING),
    ("collect_training", RUNNING),
    ("register_model", RUNNING),
    ("build_image", EFFECT),
    ("apply_plan", RUNNING),
    ("observe_target", RUNNING),
    ("apply_plan", EFFECT),
    ("record_run", RUNNING),
)


@pytest.mark.timeout(3000)
def test_a_run_survives_a_host_that_is_killed_at_every_stage(stack: Stack, app: AppClient) -> None:
    data, store = breast_cancer_story(), HostStore(stack.state)
    known = {run["run_id"] for run in app.runs(PIPELINE)}
    land(stack.endpoints, PIPELINE, data.holdout_name, data.holdout)
    landed = [
        # Without its last row: no other test trains exactly this.
        land(stack.endpoints, PIPELINE, name, content.rstrip(b"\n").rpartition(b"\n")[0] + b"\n")
        for name, content in data.first.items()
    ]
    for blob in landed:  # all of it lies there before the first event tells of it: one drop
        assert app.deliver(blob_created(stack.endpoints, blob), attempts=5) in DELIVERED

    cut_short = []
    for activity, moment in POINTS:
        wait_until(lambda point=(activity, moment): reached(stack, store, *point), f"{moment} {activity}")  # type: ignore[misc]
        stack.kill("functions_host")
        if store.running(activity):
            cut_short.append((activity, moment))
        if (activity, moment) == ("submit_training", RUNNING):
            # The next time it starts the training and waits for the answer: that is when it is killed again.
            # The seconds are how long the training may take to be seen; nobody waits for their end.
            answer_late(stack.endpoints, "/snapshotrun$", seconds=60)
        stack.start_service("functions_host")
    answer_in_time(stack.endpoints)

    run = app.wait_for_outcome(app.wait_for_new_run(PIPELINE, known))
    run_id = run["run_id"]
    # An activity may answer between the look and the kill; most must have been cut short for this to prove anything.
    assert ("submit_training", EFFECT) in cut_short
    assert len(cut_short) >= 7, cut_short
    assert run["outcome"] == "promoted", run["reason"]
    assert {found["run_id"] for found in app.runs(PIPELINE)} - known == {run_id}, "one drop, one run"
    assert trainings(stack.endpoints)[run_id] == 1
    assert model_versions(stack.endpoints, PIPELINE, run_id) == [run["version"]]
    assert image_of(stack, run_id) == run["image"].rpartition("@")[2]
    assert switches_to(stack, run_id) == 1
    answer = requests.post(f"{stack.endpoints['serving'][PIPELINE]}/score", json=data.sample_request, timeout=30)
    assert answer.status_code == 200


def test_an_arrival_whose_window_was_never_started_is_healed_by_its_redelivery(stack: Stack, app: AppClient) -> None:
    """Killed between the ledger's row and the start of the window: the event comes again, and then once more."""
    known, store = {run["run_id"] for run in app.runs(PIPELINE)}, HostStore(stack.state)
    event = an_event(stack, "landing/part-8.csv")

    opened = arrival_recorded_by_a_handler_that_dies(stack, event)
    assert store.instances("settle_arrivals") == {}
    assert app.deliver(event) in DELIVERED
    assert app.deliver(event) in DELIVERED

    run = app.wait_for_outcome(app.wait_for_new_run(PIPELINE, known))
    assert list(store.instances("settle_arrivals")) == [opened["window_id"]] == [run["window_id"]]
    assert {found["run_id"] for found in app.runs(PIPELINE)} - known == {run["run_id"]}


def test_an_event_is_not_lost_when_the_host_is_away_and_dies_again(stack: Stack, app: AppClient) -> None:
    known, store = {run["run_id"] for run in app.runs(PIPELINE)}, HostStore(stack.state)
    event = an_event(stack, "landing/part-9.csv")

    stack.kill("functions_host")
    assert app.deliver(event) == 0, "nobody there to take it"
    stack.start_service("functions_host")
    assert app.deliver(event) in DELIVERED
    stack.kill("functions_host")
    stack.start_service("functions_host")
    assert app.deliver(event) in DELIVERED

    run_id = app.wait_for_new_run(PIPELINE, known)
    app.wait_for_outcome(run_id)
    assert len(store.instances("settle_arrivals")) == 1
    assert {found["run_id"] for found in app.runs(PIPELINE)} - known == {run_id}


def an_event(stack: Stack, name: str) -> dict[str, Any]:
    """A file lands; nobody was told yet."""
    data = breast_cancer_story()
    land(stack.endpoints, PIPELINE, data.holdout_name, data.holdout)
    return blob_created(stack.endpoints, land(stack.endpoints, PIPELINE, name, data.second["landing/part-3.csv"]))


def arrival_recorded_by_a_handler_that_dies(stack: Stack, event: dict[str, Any]) -> dict[str, Any]:
    """Run the first half of ``on_data_arrival`` in a process of its own, which then ends: the window it opened."""
    first_half = """
import asyncio, json, os, sys
from datetime import UTC, datetime
from function_app.intake.arrivals import Intake
from function_app.composition import Services
from shared.values.wire import to_wire
(opened,) = asyncio.run(Intake(Services()).record(json.load(sys.stdin), datetime.now(UTC))).start
print(json.dumps(to_wire(opened)), flush=True)
os._exit(0)
"""
    payload = {key: event[key] for key in ("id", "subject", "data")}
    payload |= {"source": event["topic"], "type": event["eventType"], "time": event["eventTime"]}
    done = subprocess.run(
        [sys.executable, "-c", first_half],
        cwd=ROOT,
        env=app_settings(stack.endpoints),
        input=json.dumps(payload),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    window: dict[str, Any] = json.loads(done.stdout)
    return window


def reached(stack: Stack, store: HostStore, activity: str, moment: str) -> bool:
    """Whether the run is at that point, or was while nobody looked."""
    if moment == RUNNING:
        return store.running(activity) or store.answered(activity)
    if moment == EFFECT:
        begun = store.running(activity) or store.answered(activity)
        return bool(begun and EFFECTS[activity](stack, run_of(store)))
    return store.answered(activity)


def run_of(store: HostStore) -> str:
    """The id of the one run that there is."""
    (run_id,) = store.instances("retrain_model")
    return run_id


def image_of(stack: Stack, run_id: str) -> str | None:
    """The digest that the registry has under the run's tag."""
    registry = stack.endpoints["container_registry"]
    answer = requests.head(
        f"{registry['url']}/v2/models/{PIPELINE}/manifests/{run_id}",
        auth=(registry["username"], registry["password"]),
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
        timeout=30,
    )
    return answer.headers["Docker-Content-Digest"] if answer.status_code == 200 else None


def switches_to(stack: Stack, run_id: str) -> int:
    """How often the VM's traffic was switched to the run, by the VM's own record."""
    slot = json.loads((Path(stack.endpoints["vm"]["home"]) / "serving" / f"{PIPELINE}.json").read_text())
    return sum(switch["run_id"] == run_id for switch in slot["switches"])


EFFECTS: dict[str, Callable[[Stack, str], Any]] = {
    "submit_training": lambda stack, run_id: trainings(stack.endpoints).get(run_id),
    "build_image": image_of,
    "apply_plan": switches_to,
}
