"""Two pipelines side by side, from files that land to models that answer; and nothing is trained twice."""

import json
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, app_client, blob_created, land
from local_stack.demo_data import breast_cancer_story, digits_story
from local_stack.supervisor import Stack
from tests.support.azure_ml_view import models, trainings
from tests.support.host_store import HostStore, wait_until
from tests.support.scoring import share_right

STORIES = {"breast-cancer": breast_cancer_story(), "digits": digits_story()}
DELIVERED = {200, 202}
Run = dict[str, Any]


@pytest.fixture(scope="module")
def events(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    """The first drop of each pipeline has landed; the events that say so, not delivered yet."""
    for name, data in STORIES.items():
        land(stack.endpoints, name, data.holdout_name, data.holdout)
    return {
        name: [
            blob_created(stack.endpoints, land(stack.endpoints, name, path, content))
            for path, content in data.first.items()
        ]
        for name, data in STORIES.items()
    }


@pytest.fixture(scope="module")
def runs(stack: Stack, events: dict[str, list[dict[str, Any]]]) -> dict[str, Run]:
    """One run per pipeline, side by side, each started by events that come twice and in the wrong order."""
    with app_client(stack.endpoints) as app:
        known = {name: {run["run_id"] for run in app.runs(name)} for name in STORIES}
        for name in STORIES:
            backwards = list(reversed(events[name]))
            assert app.deliver(*backwards, *backwards) in DELIVERED
        started = {name: app.wait_for_new_run(name, known[name]) for name in STORIES}
        ended = {name: app.wait_for_outcome(run_id) for name, run_id in started.items()}
        for name in STORIES:
            assert {run["run_id"] for run in app.runs(name)} - known[name] == {started[name]}, "one drop, one run"
    return ended


@pytest.mark.parametrize("name", STORIES)
def test_a_drop_becomes_one_promoted_run(stack: Stack, runs: dict[str, Run], name: str) -> None:
    run = runs[name]

    assert run["outcome"] == "promoted", run["reason"]
    assert (run["cause"], run["attempt"]) == ("new_data", 1)
    assert trainings(stack.endpoints)[run["run_id"]] == 1


@pytest.mark.parametrize("name", STORIES)
def test_the_model_is_registered_with_its_lineage(stack: Stack, runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    registered = models(stack.endpoints, run["model"], run["run_id"])

    assert [model["version"] for model in registered] == [run["version"]]
    told = json.dumps(registered[0])
    for part in (run["run_id"], run["fingerprint"], run["snapshot_digest"]):
        assert part in told


@pytest.mark.parametrize("name", STORIES)
def test_the_image_is_in_the_registry_with_its_lineage(stack: Stack, runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    reference, _, digest = run["image"].partition("@")
    labels = image_labels(stack, f"models/{name}", digest)

    assert reference == f"{stack.endpoints['container_registry']['host']}/models/{name}"
    assert labels["io.edgetrain.run-id"] == run["run_id"]
    assert labels["io.edgetrain.fingerprint"] == run["fingerprint"]


@pytest.mark.parametrize("name", STORIES)
def test_the_deployed_model_predicts(stack: Stack, runs: dict[str, Run], name: str) -> None:
    assert runs[name]["targets"][0]["endpoint"] == stack.endpoints["serving"][name]
    assert share_right(stack.endpoints, STORIES[name]) > 0.9


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{}", b'{"rows": "x", "images": "x"}'])
@pytest.mark.parametrize("name", STORIES)
@pytest.mark.usefixtures("runs")
def test_the_deployed_model_answers_bad_input_with_400(stack: Stack, name: str, body: bytes) -> None:
    url = f"{stack.endpoints['serving'][name]}/score"
    answer = requests.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=30)

    assert answer.status_code == 400
    assert "error" in answer.json()


@pytest.mark.parametrize("name", STORIES)
def test_asking_for_the_same_data_by_hand_names_the_run_that_trained_it(
    app: AppClient, runs: dict[str, Run], name: str
) -> None:
    answer = app.post(f"/api/pipelines/{name}/runs")

    assert answer.status_code == 200
    assert (answer.json()["run_id"], answer.json()["started"]) == (runs[name]["run_id"], False)
    assert answer.headers["Location"] == f"/api/runs/{runs[name]['run_id']}"


def test_other_parameters_make_another_run_that_shows_what_it_does(
    stack: Stack, app: AppClient, runs: dict[str, Run]
) -> None:
    answer = app.post("/api/pipelines/breast-cancer/runs", {"parameters": {"inverse_regularisation": 0.29}})
    assert answer.status_code == 202
    run_id = answer.json()["run_id"]
    seen: list[Run] = []
    run = app.wait_for_outcome(run_id, seen=seen.append)

    assert run_id != runs["breast-cancer"]["run_id"]
    assert run["outcome"] in {"promoted", "not_promoted"}, run["reason"]
    stages = list(dict.fromkeys(status["stage"] for status in seen if "since" in status))
    assert stages[:1] == ["training"]
    assert all(status["since"] and isinstance(status["progress"], dict) for status in seen if "since" in status)
    assert share_right(stack.endpoints, STORIES["breast-cancer"]) > 0.9


@pytest.mark.usefixtures("runs")
def test_the_same_events_delivered_again_later_wake_nothing(
    stack: Stack, app: AppClient, events: dict[str, list[dict[str, Any]]]
) -> None:
    store, before = HostStore(stack.state), {name: app.runs(name) for name in STORIES}

    assert app.deliver(*events["breast-cancer"], *events["digits"]) in DELIVERED

    # A window is started before its event is answered, so there is nothing to wait for.
    assert store.instances("settle_arrivals") == {}
    assert {name: app.runs(name) for name in STORIES} == before


def test_a_new_event_about_data_that_was_trained_ends_as_unchanged(
    stack: Stack, app: AppClient, runs: dict[str, Run], events: dict[str, list[dict[str, Any]]]
) -> None:
    store, before = HostStore(stack.state), app.runs("digits")

    assert app.deliver({**events["digits"][0], "id": "the-same-blob-told-anew"}) in DELIVERED

    ((window, _),) = store.instances("settle_arrivals").items()
    wait_until(lambda: store.instances("settle_arrivals")[window] == "Completed", "the end of the window")
    admission = store.output(window)
    assert (admission["start"], admission["verdict"]) == (False, "unchanged")
    assert runs["digits"]["run_id"] in admission["reason"]
    assert app.runs("digits") == before


def image_labels(stack: Stack, repository: str, digest: str) -> dict[str, str]:
    """The labels in the image's configuration."""
    registry = stack.endpoints["container_registry"]
    login = (registry["username"], registry["password"])
    base = f"{registry['url']}/v2/{repository}"
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    manifest = requests.get(f"{base}/manifests/{digest}", auth=login, headers=accept, timeout=30).json()
    config = requests.get(f"{base}/blobs/{manifest['config']['digest']}", auth=login, timeout=30).json()
    labels: dict[str, str] = config["config"]["Labels"]
    return labels
