"""Two pipelines side by side, from files that land to models that answer; nothing is trained twice; all is told."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, app_client, blob_created, deadline, land
from local_stack.demo_data import breast_cancer_story, digits_story
from local_stack.functions_host.durable.history import EventType, from_stamp
from local_stack.site_agent import SiteAgent, site_agent
from local_stack.supervisor import Stack
from local_stack.upstream_client import UpstreamClient, upstream_client
from orchestrations.await_training import WAKE_UP
from shared.messages import TrainingEnd, TrainingLimits, TrainingPhase
from shared.orchestration_ids import training_id
from shared.values.wire import from_wire, to_wire
from tests.integration.event_grid.stand_in import Receiver, receiving
from tests.support import leftovers
from tests.support.azure_ml_view import begin, models, trainings
from tests.support.builders import a_training_order, a_training_poll
from tests.support.host_store import HistoryEvent, HostStore, wait_until
from tests.support.scoring import share_right
from tests.support.slow_clients import assert_others_are_served

STORIES = {"breast-cancer": breast_cancer_story(), "digits": digits_story()}
DELIVERED = {200, 202}
STAGES = ("accepted", "waiting", "training", "judging", "delivering", "rolling_out", "recording")
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
def upstream(stack: Stack) -> Iterator[UpstreamClient]:
    with upstream_client(stack.endpoints) as client:
        yield client


@pytest.fixture(scope="module")
def agent(stack: Stack) -> Iterator[SiteAgent]:
    with site_agent(stack.endpoints) as agent:
        yield agent
        agent.subscribe()


@pytest.fixture(scope="module")
def announced(stack: Stack, agent: SiteAgent) -> Iterator[Receiver]:
    """What the app announces from now on, at an endpoint outside."""
    with receiving() as receiver:
        definition = {"topic": "announcements", "eventDeliverySchema": "CloudEventSchemaV1_0"}
        agent.control("PUT", "subscriptions/story", {**definition, "endpoint": receiver.url})
        try:
            yield receiver
        finally:
            agent.control("DELETE", "subscriptions/story")


@pytest.fixture(scope="module")
def runs(
    stack: Stack, events: dict[str, list[dict[str, Any]]], agent: SiteAgent, announced: Receiver
) -> dict[str, Run]:
    """One run per pipeline, side by side, each started by events that come twice and out of order."""
    agent.subscribe(seed=3, duplicates=1, shuffle=1)
    with app_client(stack.endpoints) as app:
        known = {name: {run["run_id"] for run in app.runs(name)} for name in STORIES}
        agent.publish([event for name in STORIES for event in events[name]])
        started = {name: app.wait_for_new_run(name, known[name]) for name in STORIES}
        ended = {name: app.wait_for_outcome(run_id) for name, run_id in started.items()}
        for name in STORIES:
            assert {run["run_id"] for run in app.runs(name)} - known[name] == {started[name]}, "one drop, one run"
    return ended


@pytest.mark.timeout(3000)  # the first one: both runs are in it
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
    text = json.dumps(registered[0])
    for part in (run["run_id"], run["fingerprint"], run["snapshot_digest"]):
        assert part in text


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


@pytest.mark.usefixtures("runs")
def test_slow_and_large_clients_leave_the_deployed_model_to_the_others(stack: Stack) -> None:
    data = STORIES["breast-cancer"]
    url = stack.endpoints["serving"][data.pipeline]

    assert_others_are_served(url, data.holdout_request)
    large = requests.post(f"{url}/score", data=b" " * 60_000_000, timeout=30)
    assert large.status_code == 413
    text = json.dumps(data.holdout_request).encode()
    in_pieces = (text[at : at + 100] for at in range(0, len(text), 100))  # without a Content-Length
    answer = requests.post(f"{url}/score", data=in_pieces, headers={"Content-Type": "application/json"}, timeout=30)
    assert (answer.status_code, len(answer.json()["predictions"])) == (200, len(data.holdout_truths))


@pytest.mark.parametrize("name", STORIES)
def test_asking_for_the_same_data_by_hand_names_the_run_that_trained_it(
    app: AppClient, runs: dict[str, Run], name: str
) -> None:
    answer = app.post(f"/api/pipelines/{name}/runs")

    assert answer.status_code == 200
    assert (answer.json()["run_id"], answer.json()["started"]) == (runs[name]["run_id"], False)
    assert answer.headers["Location"] == f"/api/runs/{runs[name]['run_id']}"


@pytest.mark.parametrize("name", STORIES)
def test_every_file_has_an_answer_to_why(
    app: AppClient, runs: dict[str, Run], events: dict[str, list[dict[str, Any]]], name: str
) -> None:
    run_id, ids = runs[name]["run_id"], [event["id"] for event in events[name]]
    arrivals: list[dict[str, Any]] = []
    for _ in deadline(300, "a verdict on every arrival"):
        arrivals = [arrival for arrival in app.arrivals(name) if arrival["event_id"] in ids]
        if len(arrivals) == len(ids) and all(arrival["verdict"] != "joined" for arrival in arrivals):
            break

    assert sorted(arrival["event_id"] for arrival in arrivals) == sorted(ids), (
        "one arrival each, though they came twice"
    )
    # Unchanged: it came when the window was closed and the listing had shown the file already.
    verdicts = {arrival["verdict"] for arrival in arrivals}
    assert "trained" in verdicts
    assert verdicts <= {"trained", "unchanged"}
    for arrival in arrivals:
        why = app.why(name, arrival["blob"])
        assert why["sentence"]
        if arrival["verdict"] == "unchanged":
            continue
        assert arrival["run_id"] == run_id
        assert (why["verdict"], why["run"]["run_id"]) == ("trained", run_id)
        assert run_id in why["sentence"]


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
    under_way = [status for status in seen if status["progress"] is not None]
    stages = list(dict.fromkeys(status["stage"] for status in under_way))
    assert "training" in stages
    assert stages == [stage for stage in STAGES if stage in stages], "in this order, and no other"
    assert all(status["since"] for status in under_way)
    assert share_right(stack.endpoints, STORIES["breast-cancer"]) > 0.9


@pytest.mark.usefixtures("runs")  # by now the VM is attached
def test_a_training_that_is_completed_wakes_its_run_before_the_next_poll_is_due(stack: Stack, tmp_path: Path) -> None:
    """As an hour after the start of one for which two are expected: polls are three minutes apart."""
    run_id, go, now = f"woken-{uuid.uuid4().hex}", tmp_path / "go", datetime.now(UTC)
    instance_id, store = training_id(run_id), HostStore(stack.state)
    poll = a_training_poll(
        order=replace(a_training_order(), run_id=run_id, pipeline="woken"),
        limits=TrainingLimits(queued_seconds=1e6, running_seconds=1e6, expected_seconds=7200),
        submitted=True,
        queued_since=now - timedelta(hours=1),
        running_since=now - timedelta(hours=1),
    )
    begin(stack.endpoints, "woken", run_id, "hub-vm", go=go)
    leftovers.begin(stack.endpoints, "await_training", instance_id, to_wire(poll))

    def happened(kind: EventType) -> list[HistoryEvent]:
        return [event for event in store.history(instance_id) if event["EventType"] == kind]

    wait_until(lambda: bool(happened(EventType.TIMER_CREATED)), "the wait for the next poll")
    go.touch()
    wait_until(lambda: store.statuses()[instance_id] == "Completed", "the end of the wait")

    assert from_wire(TrainingEnd, store.output(instance_id)).phase is TrainingPhase.COMPLETED
    assert [event["Name"] for event in happened(EventType.EVENT_RAISED)] == [WAKE_UP]
    [timer], [ended] = happened(EventType.TIMER_CREATED), happened(EventType.EXECUTION_COMPLETED)
    assert from_stamp(timer["FireAt"]) > from_stamp(ended["Timestamp"])
    assert happened(EventType.TIMER_FIRED) == []


@pytest.mark.usefixtures("runs")
def test_the_same_events_delivered_again_later_wake_nothing(
    stack: Stack, app: AppClient, events: dict[str, list[dict[str, Any]]]
) -> None:
    store, before = HostStore(stack.state), {name: app.runs(name) for name in STORIES}

    assert app.deliver(*events["breast-cancer"], *events["digits"]) in DELIVERED

    # A window is started before its event is answered, so there is nothing to wait for.
    assert store.instances("settle_arrivals") == {}
    assert {name: app.runs(name) for name in STORIES} == before


@pytest.mark.usefixtures("runs")
def test_a_new_event_about_a_version_that_was_reported_is_a_duplicate_and_wakes_nothing(
    stack: Stack, app: AppClient, events: dict[str, list[dict[str, Any]]]
) -> None:
    store, before = HostStore(stack.state), app.runs("digits")

    assert app.deliver({**events["digits"][0], "id": "the-same-blob-again"}) in DELIVERED

    (repeat,) = [each for each in app.arrivals("digits") if each["event_id"] == "the-same-blob-again"]
    assert (repeat["verdict"], repeat["window_id"]) == ("duplicate", None)
    assert repeat["reason"].startswith("duplicate of ")
    assert store.instances("settle_arrivals") == {}
    assert app.runs("digits") == before


def test_a_message_about_the_same_data_is_answered_with_the_run(
    app: AppClient, upstream: UpstreamClient, runs: dict[str, Run]
) -> None:
    before = app.runs("digits")

    upstream.ask({"schema": 1, "pipeline": "digits"}, correlation_id="the-same-again", reply_to="laboratory")
    answer = upstream.wait_for_answer("the-same-again")

    assert (answer["kind"], answer["run_id"]) == ("already_trained", runs["digits"]["run_id"])
    assert (answer["subject"], answer["to"]) == ("already_trained", "laboratory")
    assert runs["digits"]["run_id"] in answer["reason"]
    assert app.runs("digits") == before


def test_a_message_that_starts_a_run_is_answered_twice_and_its_repeat_not_at_all(
    app: AppClient, upstream: UpstreamClient, runs: dict[str, Run], announced: Receiver
) -> None:
    body = {
        "schema": 1,
        "pipeline": "breast-cancer",
        "parameters": {"inverse_regularisation": 0.31},
        "reason": "why not",
    }

    for _ in range(2):
        upstream.ask(body, message_id="a-new-parameter")
    accepted = upstream.wait_for_answer("a-new-parameter")
    outcome = upstream.wait_for_answer("a-new-parameter", "outcome", seconds=900)

    run = app.run(accepted["run_id"])
    assert run["run_id"] != runs["breast-cancer"]["run_id"]
    assert (run["cause"], run["note"]) == ("upstream", "why not")
    assert accepted["kind"] == "accepted"
    assert (outcome["run_id"], outcome["outcome"]) == (run["run_id"], run["outcome"])
    assert [each["kind"] for each in upstream.answers("a-new-parameter")] == ["accepted", "outcome"]
    assert run["outcome"] in {"promoted", "not_promoted"}, run["reason"]


def test_a_message_that_makes_no_sense_is_answered_and_quarantined(upstream: UpstreamClient) -> None:
    message_id = upstream.ask(b"\x00 not JSON")

    answer = upstream.wait_for_answer(message_id)
    copy = upstream.wait_for_quarantined(message_id)

    assert answer["kind"] == "rejected"
    assert "JSON" in answer["reason"]
    assert copy["body"] == b"\x00 not JSON"
    assert answer["reason"] in copy["properties"].values()


@pytest.mark.parametrize("name", STORIES)
def test_a_run_is_announced_from_its_beginning_to_its_end(
    agent: SiteAgent, runs: dict[str, Run], announced: Receiver, name: str
) -> None:
    run_id = runs[name]["run_id"]
    agent.wait_until_delivered("story")

    events_by_id = {each.event["id"]: each.event for each in announced.notifications if run_id in each.event["id"]}

    kinds = ("accepted", "training_started", "trained", "registered", "deployed")
    assert events_by_id.keys() == {f"{run_id}-{kind}" for kind in kinds}
    in_time = sorted(events_by_id.values(), key=lambda event: event["time"])
    assert [event["type"] for event in in_time] == [f"io.edgetrain.run.{kind}" for kind in kinds]
    assert {event["source"] for event in in_time} == {f"/edgetrain/pipelines/{name}"}
    assert {event["subject"] for event in in_time} == {f"runs/{run_id}"}


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
