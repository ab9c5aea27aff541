"""Two pipelines side by side, from files that land to models that answer; and nothing is trained twice."""

import json
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, blob_created, deadline, land
from local_stack.demo_data import DataStory, breast_cancer_story, digits_story
from local_stack.supervisor import Stack
from tests.support.azure_ml_view import models, trainings

STORIES = {"breast-cancer": breast_cancer_story(), "digits": digits_story()}
Run = dict[str, Any]


@pytest.fixture(scope="module")
def runs(stack: Stack) -> dict[str, Run]:
    """One run per pipeline, both started by events that are delivered twice and in the wrong order."""
    app = AppClient(stack.endpoints)
    known = {name: {run["run_id"] for run in app.runs(name)} for name in STORIES}
    for name, data in STORIES.items():
        land(stack.endpoints, name, data.holdout_name, data.holdout)
        blobs = [land(stack.endpoints, name, path, content) for path, content in data.first.items()]
        events = [blob_created(stack.endpoints, blob) for blob in reversed(blobs)]
        assert app.deliver(*events, *events) in {200, 202}
    started = {name: app.wait_for_new_run(name, known[name]) for name in STORIES}
    ended = {name: app.wait_for_outcome(run_id) for name, run_id in started.items()}
    for name in STORIES:
        assert {run["run_id"] for run in app.runs(name)} - known[name] == {started[name]}, "one drop, one run"
    app.close()
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
    assert share_right(stack, STORIES[name]) > 0.9


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
    assert share_right(stack, STORIES["breast-cancer"]) > 0.9


@pytest.mark.usefixtures("runs")
def test_everything_is_still_known_after_all_services_were_stopped(stack: Stack, app: AppClient) -> None:
    before = {name: app.runs(name) for name in STORIES}
    names = [status.name for status in stack.status()]

    for name in reversed(names):
        stack.stop_service(name)
    for name in names:
        stack.start_service(name)

    assert {name: app.runs(name) for name in STORIES} == before
    registered = models(stack.endpoints, "breast-cancer")
    assert {run["run_id"] for run in before["breast-cancer"] if run["version"]} <= {
        model["properties"].get("run_id") or model["tags"].get("run_id") for model in registered
    }
    for name, data in STORIES.items():
        for _ in deadline(60, f"the containers of {name}"):
            if requests.get(stack.endpoints["serving"][name], timeout=30).status_code == 200:
                break
        assert share_right(stack, data) > 0.9
    assert app.post("/api/pipelines/digits/runs").json()["started"] is False


def share_right(stack: Stack, data: DataStory) -> float:
    """The share of held-out rows that the deployed model gets right."""
    url = f"{stack.endpoints['serving'][data.pipeline]}/score"
    answer = requests.post(url, json=data.holdout_request, timeout=60)
    assert answer.status_code == 200, answer.text
    predicted: list[int] = answer.json()["predictions"]
    right = [ours == truth for ours, truth in zip(predicted, data.holdout_truths, strict=True)]
    return sum(right) / len(right)


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
