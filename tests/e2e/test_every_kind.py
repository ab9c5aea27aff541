"""Tables with texts and gaps, and pictures: trained in containers without a network, compared, deployed, answering."""

from statistics import mean
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, app_client, blob_created, land
from local_stack.demo_data import DataStory, diabetes_story, scans_story
from local_stack.supervisor import Stack
from tests.support.azure_ml_view import trainings

STORIES = {"diabetes": diabetes_story(), "scans": scans_story()}
Run = dict[str, Any]


@pytest.fixture(scope="module")
def first_runs(stack: Stack) -> dict[str, str]:
    """Pipeline -> run on its first drop; both at the same time."""
    with app_client(stack.endpoints) as app:
        for name, data in STORIES.items():
            land(stack.endpoints, name, data.holdout_name, data.holdout)
            arrive(stack, app, name, data.first)
        return {name: app.wait_for_new_run(name, set()) for name in STORIES}


@pytest.mark.timeout(2700)
@pytest.mark.parametrize("name", STORIES)
def test_a_drop_is_trained_sealed_and_its_model_answers(
    stack: Stack, app: AppClient, first_runs: dict[str, str], name: str
) -> None:
    run = outcome(app, first_runs[name])

    assert run["outcome"] == "promoted", run["reason"]
    assert trainings(stack.endpoints)[run["run_id"]] == 1
    receipt = run["receipt"]
    assert (receipt["network_bytes"], receipt["signature"], receipt["failed_checks"]) == (0, "valid", [])
    assert 0 < receipt["released_bytes"] < 2_000_000
    assert_answers_well(stack, STORIES[name])


@pytest.mark.timeout(2700)
@pytest.mark.parametrize("name", STORIES)
def test_the_next_model_is_compared_with_the_champion_row_by_row(
    stack: Stack, app: AppClient, first_runs: dict[str, str], name: str
) -> None:
    first = outcome(app, first_runs[name])
    arrive(stack, app, name, STORIES[name].second)
    run = outcome(app, app.wait_for_new_run(name, {first["run_id"]}))

    assert run["outcome"] in {"promoted", "not_promoted"}, run["reason"]
    assert (run["champion_run_id"], run["comparable"]) == (first["run_id"], True), run["reason"]
    assert run["comparison"]["rows"] == len(STORIES[name].holdout_truths)
    assert run["comparison"]["low"] <= run["comparison"]["difference"] <= run["comparison"]["high"]
    assert {rule["rule"] for rule in run["rules"]} == {"judge.floor", "judge.margin", "judge.drift_limit"}
    assert_answers_well(stack, STORIES[name])


def arrive(stack: Stack, app: AppClient, name: str, files: dict[str, bytes]) -> None:
    """All of it lies there before the first event tells of it, so that it is one drop on a slow machine too."""
    landed = [land(stack.endpoints, name, path, content) for path, content in files.items()]
    app.deliver(*(blob_created(stack.endpoints, blob) for blob in landed))


def outcome(app: AppClient, run_id: str) -> Run:
    run: Run = app.wait_for_outcome(run_id, seconds=1200)
    return run


def assert_answers_well(stack: Stack, data: DataStory) -> None:
    url = f"{stack.endpoints['serving'][data.pipeline]}/score"
    answer = requests.post(url, json=data.holdout_request, timeout=60)
    assert answer.status_code == 200, answer.text
    pairs = list(zip(answer.json()["predictions"], data.holdout_truths, strict=True))
    if data.pipeline == "diabetes":
        assert mean(abs(float(ours) - float(truth)) for ours, truth in pairs) < 55
    else:
        assert mean(ours == truth for ours, truth in pairs) > 0.8
