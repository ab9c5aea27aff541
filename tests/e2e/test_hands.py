"""An operator's hands on the running stack: approve, reject, cancel, resume, roll back, retire, reinstate.

Each is seen outside and leaves nothing. What the runbooks of ``docs/delivery.md`` say is typed as it is printed there.
One pipeline rolls out at once, one once it is approved, by a canary that takes longer than the test waits.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, app_client, deadline, land
from local_stack.demo_data import breast_cancer_story
from local_stack.supervisor import Stack
from tests.support import leftovers
from tests.support.azure_ml_view import trainings
from tests.support.changed_app import ChangedApp
from tests.support.operator import Operator
from tests.support.runbooks import as_printed

CONTAINER = "hands"
PLAIN, CANARY = "hands-plain", "hands-canary"
DATA = breast_cancer_story()
Run = dict[str, Any]


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    """An app with both pipelines, whose first model serves."""
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("hands") / "app")
    app.let_training_pause()
    train = {"expected_seconds": 2, "parameters": {"inverse_regularisation": 0.3, "pause_seconds": 0.01}}
    # The same data and another parameter make as good a model: it is promoted.
    judge = {"margin": -0.5}
    app.add_pipeline(PLAIN, data={"container": CONTAINER}, train=train, judge=judge)
    slow = {"strategy": {"steps": [50], "soak_seconds": 3600}, "approval": {"hours": 1}}
    app.add_pipeline(CANARY, data={"container": CONTAINER}, train=train, judge=judge, deliver=slow)
    app.prepare_serving(stack, PLAIN, CANARY)
    for name, content in {DATA.holdout_name: DATA.holdout, **DATA.first}.items():
        land(stack.endpoints, CONTAINER, name, content)
    with app.deployed(stack), app_client(stack.endpoints) as found:
        yield found


@pytest.fixture(scope="module")
def typed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """An operator of this stack."""
    return Operator(stack, tmp_path_factory.mktemp("operator"))


@pytest.fixture(scope="module")
def first(client: AppClient, typed: Operator) -> dict[str, str]:
    """The run that serves first, by pipeline."""
    begun = {name: start(client, name) for name in (PLAIN, CANARY)}
    reach(client, begun[CANARY], lambda run: run["stage"] == "rolling_out")
    assert begun[CANARY] in {run["run_id"] for run in typed(*as_printed("runs"))["runs"]}
    approved = typed(*as_printed("approve", RUN=begun[CANARY]), "--yes")
    assert approved["outcome"] == "promoted"
    assert [each["reason"] for each in approved["decisions"]] == ["the metrics hold"]
    ended(client, begun[PLAIN], "promoted")
    return begun


@pytest.mark.timeout(3000)
def test_a_run_that_trains_is_cancelled_and_its_training_is_gone(
    client: AppClient, stack: Stack, first: dict[str, str]
) -> None:
    run_id = start(client, PLAIN, pause_seconds=600.0)
    reach(client, run_id, lambda run: run["stage"] == "training" and bool(leftovers.processes(run_id)))

    cancel(client, run_id)

    run = ended(client, run_id, "cancelled")
    assert "wrong data" in run["reason"]
    assert "left to do" not in run["reason"]
    for _ in deadline(180, f"the end of the processes of run {run_id}"):
        if not leftovers.processes(run_id):
            break
    assert serving(client, PLAIN) == {first[PLAIN]: 100}


@pytest.mark.timeout(3000)
def test_a_canary_is_cancelled_and_the_traffic_is_back(client: AppClient, stack: Stack, first: dict[str, str]) -> None:
    run_id = start(client, CANARY, inverse_regularisation=0.31)
    reach(client, run_id, lambda run: run["stage"] == "rolling_out")
    approved = client.post(f"/api/runs/{run_id}/approve")
    assert approved.status_code == 200, approved.text
    reach(client, run_id, lambda _: serving(client, CANARY).get(run_id, 0) > 0)

    cancel(client, run_id)

    run = ended(client, run_id, "cancelled")
    assert "left to do" not in run["reason"]
    assert serving(client, CANARY) == {first[CANARY]: 100}
    assert run_id not in leftovers.containers(stack.state, CANARY)
    assert tags(stack, CANARY) == [first[CANARY]]
    leftovers.wait_until_no_orchestration_runs(stack.endpoints)


@pytest.mark.timeout(3000)
def test_a_model_that_is_rejected_never_gets_to_its_target(
    client: AppClient, typed: Operator, first: dict[str, str]
) -> None:
    run_id = start(client, CANARY, inverse_regularisation=0.33)
    reach(client, run_id, lambda run: run["stage"] == "rolling_out")

    check = typed("deploy-check")
    assert (check["safe"], check["would_break"]) == (True, [])
    assert check["under_way"]["retrain_model"] >= 1
    rejected = typed(*as_printed("reject", RUN=run_id), "--yes")

    assert (rejected["run_id"], rejected["outcome"]) == (run_id, "not_promoted")
    assert serving(client, CANARY) == {first[CANARY]: 100}


@pytest.mark.timeout(3000)
def test_a_run_that_met_no_registry_is_resumed_and_trains_no_second_time(
    client: AppClient, stack: Stack, typed: Operator, first: dict[str, str]
) -> None:
    run_id = start(client, PLAIN, inverse_regularisation=0.32, pause_seconds=30.0)
    reach(client, run_id, lambda run: run["stage"] == "training" and bool(leftovers.processes(run_id)))
    stack.stop_service("container_registry")
    try:
        reach(client, run_id, lambda run: run["stage"] == "delivering")
        cancel(client, run_id)
        ended(client, run_id, "cancelled")
    finally:
        stack.start_service("container_registry")

    resumed = typed(*as_printed("resume", RUN=run_id), "--yes")
    assert resumed["outcome"] == "promoted"

    assert resumed["continues"] == run_id
    assert resumed["run_id"] not in trainings(stack.endpoints)
    assert trainings(stack.endpoints)[run_id] == 1
    assert serving(client, PLAIN)[resumed["run_id"]] == 100
    again = client.post(f"/api/runs/{run_id}/resume")
    assert (again.status_code, again.json()["run_id"]) == (200, resumed["run_id"])


@pytest.mark.timeout(3000)
def test_a_target_is_rolled_back_and_then_the_pipeline_is_retired(
    client: AppClient, stack: Stack, typed: Operator, first: dict[str, str]
) -> None:
    bad = client.get(f"/api/pipelines/{PLAIN}").json()["champion"]["run_id"]
    assert bad != first[PLAIN]

    (target,) = [each["target"] for each in typed(*as_printed("targets"))["targets"] if each["pipeline"] == PLAIN]

    back = typed(*as_printed("roll-back", PIPELINE=PLAIN, TARGET=target), "--yes")
    assert (back["state"], back["to"]) == ("done", first[PLAIN])

    assert serving(client, PLAIN) == {first[PLAIN]: 100, bad: 0}
    assert client.get(f"/api/pipelines/{PLAIN}").json()["champion"]["run_id"] == first[PLAIN]
    scored = requests.post(f"{endpoint(client, PLAIN)}/score", json=DATA.sample_request, timeout=30)
    assert (scored.status_code, scored.headers["x-edgetrain-run"]) == (200, first[PLAIN]), scored.text
    same = {"parameters": {"inverse_regularisation": 0.32, "pause_seconds": 30.0}}
    refused = client.post(f"/api/pipelines/{PLAIN}/runs", same)
    assert refused.status_code in {200, 409}, "what was taken back does not come back by itself"

    assert typed(*as_printed("release", PIPELINE=PLAIN), "--yes")["sentence"]

    action = typed(*as_printed("retire", PIPELINE=PLAIN), "--yes")
    assert (action["state"], action["left"]) == ("done", [])
    assert serving(client, PLAIN) == {}
    assert not leftovers.containers(stack.state, PLAIN)
    assert client.post(f"/api/pipelines/{PLAIN}/runs", {"force": True}).status_code == 409
    assert client.get("/api/runs", pipeline=PLAIN).json()["runs"], "its history stays"
    run = typed(*as_printed("run", RUN=first[PLAIN]))
    assert (run["outcome"], bool(run["metrics"])) == ("promoted", True)
    assert typed(*as_printed("reinstate", PIPELINE=PLAIN), "--yes")["pipeline"] == PLAIN
    assert client.post(f"/api/pipelines/{PLAIN}/reinstate").json()["type"] == "urn:edgetrain:not_retired"


def start(app: AppClient, pipeline: str, **parameters: float) -> str:
    answer = app.post(f"/api/pipelines/{pipeline}/runs", {"parameters": parameters})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def cancel(app: AppClient, run_id: str) -> None:
    answer = app.post(f"/api/runs/{run_id}/cancel", {"reason": "wrong data", "by": "ada"})
    assert answer.status_code == 200, answer.text


def ended(app: AppClient, run_id: str, outcome: str) -> Run:
    run = app.wait_for_outcome(run_id, seconds=1200)
    assert run["outcome"] == outcome, f"{run_id}: {run['outcome']}: {run['reason']}"
    return run


def reach(app: AppClient, run_id: str, there: Any) -> None:
    """Return when the run has got there; it must not have ended before."""
    for _ in deadline(900, f"run {run_id} getting there"):
        run = app.run(run_id)
        if there(run):
            return
        assert run.get("outcome") is None, f"{run_id} ended before: {run['outcome']}: {run['reason']}"


def target_of(app: AppClient, pipeline: str) -> dict[str, Any]:
    (target,) = [each for each in app.get("/api/targets").json()["targets"] if each["pipeline"] == pipeline]
    return dict(target)


def endpoint(app: AppClient, pipeline: str) -> str:
    return str(target_of(app, pipeline)["endpoint"])


def serving(app: AppClient, pipeline: str) -> dict[str, int]:
    """What the target runs, as it was seen last, with its part of the traffic."""
    target = target_of(app, pipeline)
    return {release["run_id"]: release["weight"] for release in target["observed"] if release["state"] != "gone"}


def tags(stack: Stack, pipeline: str) -> list[str]:
    """The tags of the pipeline's images that name a run."""
    registry = stack.endpoints["container_registry"]
    answer = requests.get(
        f"{registry['url']}/v2/models/{pipeline}/tags/list",
        auth=(registry["username"], registry["password"]),
        timeout=30,
    )
    return sorted(tag for tag in answer.json().get("tags") or [] if not tag.startswith("sha256-"))
