"""The host is killed at eleven points of one run; the run ends as if nothing had happened, and nothing is doubled."""

import json
from pathlib import Path

import requests

from local_stack.app_client import AppClient, blob_created, land
from local_stack.demo_data import breast_cancer_story
from local_stack.supervisor import Stack
from tests.support.azure_ml_view import model_versions, trainings
from tests.support.host_store import HostStore

PIPELINE = "breast-cancer"
POINTS = (
    ("admit_run", "during"),
    ("admit_run", "after"),
    ("submit_training", "during"),
    ("submit_training", "after"),
    ("collect_training", "during"),
    ("register_model", "during"),
    ("build_image", "after"),
    ("start_candidate", "during"),
    ("verify_candidate", "during"),
    ("switch_traffic", "during"),
    ("record_run", "during"),
)


def test_a_run_survives_a_host_that_is_killed_at_every_stage(stack: Stack, app: AppClient) -> None:
    data, store = breast_cancer_story(), HostStore(stack.state)
    known = {run["run_id"] for run in app.runs(PIPELINE)}
    land(stack.endpoints, PIPELINE, data.holdout_name, data.holdout)
    for name, content in data.first.items():
        # Without its last row: no other test trains exactly this.
        blob = land(stack.endpoints, PIPELINE, name, content.rstrip(b"\n").rpartition(b"\n")[0] + b"\n")
        assert app.deliver(blob_created(stack.endpoints, blob), attempts=5) in {200, 202}

    for activity, moment in POINTS:
        store.wait_for(activity, moment)
        stack.kill("functions_host")
        stack.start_service("functions_host")

    run = app.wait_for_outcome(app.wait_for_new_run(PIPELINE, known))
    run_id = run["run_id"]
    assert (run["outcome"], run["stage"]) == ("promoted", "rolling_out"), run["reason"]
    assert {found["run_id"] for found in app.runs(PIPELINE)} - known == {run_id}, "one drop, one run"
    assert trainings(stack.endpoints)[run_id] == 1
    assert model_versions(stack.endpoints, PIPELINE, run_id) == [run["version"]]
    assert image_of(stack, run_id) == run["image"].rpartition("@")[2]
    assert switches_of(stack, run_id) == 1
    answer = requests.post(f"{stack.endpoints['serving'][PIPELINE]}/score", json=data.sample_request, timeout=30)
    assert answer.status_code == 200


def test_an_event_whose_handler_died_is_healed_by_its_redelivery(stack: Stack, app: AppClient) -> None:
    """Killed at any moment of handling the event: Event Grid delivers again, and exactly one run comes of it."""
    data = breast_cancer_story()
    known = {run["run_id"] for run in app.runs(PIPELINE)}
    land(stack.endpoints, PIPELINE, data.holdout_name, data.holdout)
    blob = land(stack.endpoints, PIPELINE, "landing/part-9.csv", next(iter(data.second.values())))
    event = blob_created(stack.endpoints, blob)

    stack.kill("functions_host")
    assert app.deliver(event) == 0, "nobody there to take it"
    stack.start_service("functions_host")
    assert app.deliver(event) in {200, 202}
    stack.kill("functions_host")
    stack.start_service("functions_host")
    assert app.deliver(event) in {200, 202}

    app.wait_for_outcome(app.wait_for_new_run(PIPELINE, known))
    assert len({run["run_id"] for run in app.runs(PIPELINE)} - known) == 1


def image_of(stack: Stack, run_id: str) -> str:
    """The digest that the registry has under the run's tag."""
    registry = stack.endpoints["container_registry"]
    answer = requests.head(
        f"{registry['url']}/v2/models/{PIPELINE}/manifests/{run_id}",
        auth=(registry["username"], registry["password"]),
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.headers["Docker-Content-Digest"]


def switches_of(stack: Stack, run_id: str) -> int:
    """How often the VM's traffic was switched to the run, by the VM's own record."""
    slot = json.loads((Path(stack.endpoints["vm"]["home"]) / "serving" / f"{PIPELINE}.json").read_text())
    return sum(switch["run_id"] == run_id for switch in slot["switches"])
