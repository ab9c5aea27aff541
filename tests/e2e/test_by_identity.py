"""An app that holds no key of Azure: its identity takes a drop from the files that land to models that answer.

Everything that has tokens in Azure and a stand-in here is entered with one: the host's storage, Azure ML, Azure
Resource Manager, Event Grid and Service Bus, also by the host's own trigger.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, app_client, deadline, land, land_all
from local_stack.demo_data import breast_cancer_story
from local_stack.files import read_object
from local_stack.identity.tokens import EVENT_GRID, MANAGEMENT, SERVICE_BUS, STORAGE
from local_stack.site_agent import SiteAgent, site_agent
from local_stack.supervisor import Stack
from local_stack.supervisor.app_settings_by_identity import SECRETS
from local_stack.upstream_client import upstream_client
from tests.integration.event_grid.stand_in import Receiver, receiving
from tests.support.azure_ml_view import models, trainings
from tests.support.changed_app import ChangedApp

PIPELINE = "by-identity"
STORY = replace(breast_cancer_story(), pipeline=PIPELINE)
TARGETS = ("hub-vm", "cloud")

Run = dict[str, Any]


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("by-identity") / "app")
    targets = [{"name": name, "health_seconds": 180} for name in TARGETS]
    app.add_pipeline(PIPELINE, data={"container": PIPELINE}, deliver={"targets": targets})
    app.prepare_serving(stack, PIPELINE)
    with app.deployed_by_identity(stack), app_client(stack.endpoints) as client:
        yield client


@pytest.fixture(scope="module")
def issued_before(stack: Stack) -> Counter[str]:
    return issued(stack)


@pytest.fixture(scope="module")
def agent(stack: Stack) -> Iterator[SiteAgent]:
    with site_agent(stack.endpoints) as agent:
        yield agent


@pytest.fixture(scope="module")
def announced(agent: SiteAgent) -> Iterator[Receiver]:
    """What the app announces from now on, at an endpoint outside."""
    with receiving() as receiver:
        definition = {"topic": "announcements", "eventDeliverySchema": "CloudEventSchemaV1_0"}
        agent.control("PUT", f"subscriptions/{PIPELINE}", {**definition, "endpoint": receiver.url})
        try:
            yield receiver
        finally:
            agent.control("DELETE", f"subscriptions/{PIPELINE}")


@pytest.fixture(scope="module")
def run(stack: Stack, issued_before: Counter[str], client: AppClient, agent: SiteAgent, announced: Receiver) -> Run:
    """What became of one drop."""
    land(stack.endpoints, PIPELINE, STORY.holdout_name, STORY.holdout)
    agent.publish_written(land_all(stack.endpoints, PIPELINE, STORY.first))
    return client.wait_for_outcome(client.wait_for_new_run(PIPELINE, set()))


def test_a_drop_becomes_a_registered_model_that_answers_on_both_targets(stack: Stack, run: Run) -> None:
    assert run["outcome"] == "promoted", run["reason"]
    assert trainings(stack.endpoints)[run["run_id"]] == 1
    assert [model["version"] for model in models(stack.endpoints, PIPELINE, run["run_id"])] == [run["version"]]
    assert sorted(target["target"] for target in run["targets"]) == sorted(TARGETS)
    for target in run["targets"]:
        answer = requests.post(f"{target['endpoint']}/score", json=STORY.holdout_request, timeout=60)
        assert answer.headers["x-edgetrain-run"] == run["run_id"]
        assert len(answer.json()["predictions"]) == len(STORY.holdout_truths)


def test_the_run_is_announced_to_its_end(agent: SiteAgent, run: Run, announced: Receiver) -> None:
    for _ in deadline(300, "the last announcement"):
        if f"{run['run_id']}-deployed" in announced.ids:
            break
    agent.wait_until_delivered(PIPELINE)

    kinds = ("accepted", "training_started", "trained", "registered", "deployed")
    ids = {event_id for event_id in announced.ids if run["run_id"] in event_id}
    assert ids == {f"{run['run_id']}-{kind}" for kind in kinds}


def test_a_message_is_taken_and_answered(stack: Stack, run: Run) -> None:
    with upstream_client(stack.endpoints) as upstream:
        asked = upstream.ask({"schema": 1, "pipeline": PIPELINE})
        answer = upstream.wait_for_answer(asked)

    assert (answer["kind"], answer["run_id"]) == ("already_trained", run["run_id"])


def test_every_service_was_entered_with_tokens_of_its_own(stack: Stack, issued_before: Counter[str], run: Run) -> None:
    wanted = {STORAGE, SERVICE_BUS, EVENT_GRID, MANAGEMENT, stack.endpoints["azure_ml"]["url"]}

    assert set(issued(stack) - issued_before) == wanted


def test_the_app_has_no_key_of_what_it_enters_so(stack: Stack, client: AppClient) -> None:
    """Neither the settings nor any other variable, of the host and of what it started."""
    endpoints = stack.endpoints
    account = dict(part.partition("=")[::2] for part in endpoints["cloud_storage"]["connection_string"].split(";"))
    bus = dict(part.partition("=")[::2] for part in endpoints["service_bus"]["connection_string"].split(";"))
    secrets = {
        account["AccountKey"],
        read_object(stack.state / "credentials.json")["cloud_key2"],
        bus["SharedAccessKey"],
        endpoints["azure_ml"]["client_secret"],
        endpoints["azure_arm"]["client_secret"],
        *(topic["key"] for topic in endpoints["event_grid"]["topics"].values()),
    }
    (host,) = (status.pid for status in stack.status() if status.name == "functions_host")
    assert host is not None

    for pid in with_descendants(host):
        environment = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")
        names = {line.partition("=")[0] for line in environment.split("\0")}
        assert "IDENTITY_ENDPOINT" in names, "it is the app's"
        assert names.isdisjoint(SECRETS)
        assert [secret for secret in secrets if secret in environment] == []


def issued(stack: Stack) -> Counter[str]:
    """How many tokens each service had, by its resource."""
    answer = requests.get(f"{stack.endpoints['identity']['url']}/_stats", timeout=30)
    return Counter(answer.json()["issued"])


def with_descendants(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        children = (file.read_text(encoding="ascii") for file in Path(f"/proc/{each}/task").glob("*/children"))
        found += [int(child) for text in children for child in text.split()]
    return found
