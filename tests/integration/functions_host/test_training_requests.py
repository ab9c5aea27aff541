"""The app's own Service Bus trigger: a real host, a real broker, and Azurite for data and ledger.

The settings have no training VM, so a run that is started ends soon, and says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.storage.blob import BlobServiceClient

from function_app.activity_wiring import admit_run
from function_app.composition import Services
from local_stack.upstream_client import QUARANTINE, REQUESTS, RESULTS, SUBSCRIPTION, UpstreamClient, upstream_client
from shared.messages import AdmissionRequest, Cause, Outcome, ReplyTo
from shared.settings import HUB_API_VERSION, Settings
from shared.values.traces import TraceContext, read_trace
from shared.wire_contracts.training_requests import Envelope, key_of
from tests.support.azurite import running_azurite
from tests.support.functions_host import HostProcess, running_host
from tests.support.service_bus import BrokerProcess, a_queue, running_broker, write_entities
from tests.support.service_process import ROOT, eventually

PIPELINE, TRAINED = "breast-cancer", "digits"
ONCE = {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "PT5M"}
RESULTS_TOPIC = {"Name": RESULTS, "Properties": ONCE, "Subscriptions": [{"Name": SUBSCRIPTION}]}


@dataclass
class Surroundings:
    """What the host is started among."""

    storage: str
    broker: BrokerProcess
    services: Services


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    folder = tmp_path_factory.mktemp("training-requests")
    entities = entities_of(folder / "entities.json", RESULTS_TOPIC)
    with running_azurite(folder / "azurite") as accounts, running_broker(folder / "broker", entities) as broker:
        storage = accounts["testaccount"]
        services = services_with(settings(storage, broker))
        for pipeline in services.pipelines.all:
            fill(storage, pipeline.data.container, pipeline.data.holdout, f"{pipeline.data.prefix}part-1.csv")
        yield Surroundings(storage, broker, services)
        services.ledger.close()


def entities_of(path: Path, *topics: dict[str, Any]) -> Path:
    """What the app needs. The queue takes duplicates, so that it is the app that must tell them."""
    return write_entities(path, a_queue(REQUESTS), a_queue(QUARANTINE, **ONCE), topics=topics)


def services_with(environment: dict[str, str]) -> Services:
    """The app's services, for a look at what it does."""
    services = Services()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        services.__dict__["settings"] = Settings()
    return services


def settings(storage: str, broker: BrokerProcess) -> dict[str, str]:
    ssh = {"ADDRESS": "127.0.0.1", "USERNAME": "nobody", "PRIVATE_KEY": "none"}
    azure_ml = dict.fromkeys(
        ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE"), "none"
    )
    return {
        "AzureWebJobsStorage": storage,
        "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1",
        "AzureWebJobs.keep_watch.Disabled": "true",
        "ServiceBusConnection": broker.connection_string,
        "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": storage,
        "EDGETRAIN_SITES__FACTORY__API_VERSION": HUB_API_VERSION,
        "EDGETRAIN_CONTAINER_REGISTRY__URL": "refused at once",
        **{f"EDGETRAIN_COMPUTES__HUB_VM__{name}": value for name, value in ssh.items()},
        **{f"EDGETRAIN_TARGETS__HUB_VM__{name}": value for name, value in ssh.items()},
        **{f"EDGETRAIN_AZURE_ML__{name}": value for name, value in azure_ml.items()},
        "EDGETRAIN_AZURE_ML__METADATA_URL": "refused at once",
    }


def fill(storage: str, container: str, *blobs: str) -> None:
    with BlobServiceClient.from_connection_string(storage, api_version=HUB_API_VERSION) as hub:
        client = hub.create_container(container)
        for blob in blobs:
            client.upload_blob(blob, b"1,2\n")


@contextmanager
def running_app(state: Path, storage: str, broker: BrokerProcess) -> Iterator[HostProcess]:
    with running_host(state, app=ROOT, settings=settings(storage, broker)) as running:
        yield running


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, surroundings: Surroundings) -> Iterator[HostProcess]:
    state = tmp_path_factory.mktemp("training-requests-host") / "state"
    with running_app(state, surroundings.storage, surroundings.broker) as running:
        yield running


@pytest.fixture(scope="module")
def upstream(surroundings: Surroundings, host: HostProcess) -> Iterator[UpstreamClient]:
    with upstream_client(endpoints(surroundings.broker)) as client:
        yield client


def endpoints(broker: BrokerProcess) -> dict[str, Any]:
    return {"service_bus": {"connection_string": broker.connection_string}}


def body(pipeline: str = PIPELINE, **more: Any) -> dict[str, Any]:
    return {"schema": 1, "pipeline": pipeline, **more}


def instance_id(message_id: str) -> str:
    return f"bus-{key_of(Envelope(body=b'', message_id=message_id))}"


def a_run_of_somebody_else(services: Services, pipeline: str) -> str:
    """Somebody asked for what lies there now, and was granted a run that nobody works on."""
    request = AdmissionRequest(
        pipeline=pipeline, cause=Cause.OPERATOR, requested_by="somebody", requested_at=datetime.now(UTC)
    )
    run = admit_run(request, services).run
    assert run is not None
    return run.run_id


def end(services: Services, run_id: str) -> None:
    record = services.ledger.runs.run(run_id)
    assert record is not None
    ended = replace(record, outcome=Outcome.NOT_PROMOTED, reason="the champion stays", ended_at=datetime.now(UTC))
    services.ledger.runs.record_run(ended)


@pytest.fixture(scope="module")
def trained(surroundings: Surroundings) -> str:
    """The run that trained what lies there already."""
    run_id = a_run_of_somebody_else(surroundings.services, TRAINED)
    end(surroundings.services, run_id)
    return run_id


def test_a_request_is_answered_when_it_is_accepted_and_when_its_run_has_ended(upstream: UpstreamClient) -> None:
    upstream.ask(body(reason="assay 17"), message_id="first", correlation_id="assay-17", reply_to="lab")

    outcome = upstream.wait_for_answer("assay-17", "outcome")

    accepted = upstream.wait_for_answer("assay-17", "accepted")
    assert accepted["run_id"].startswith(f"{PIPELINE}-")
    assert accepted["run_id"] in accepted["reason"]
    assert accepted["to"] == "lab"
    assert (outcome["run_id"], outcome["outcome"], outcome["to"]) == (accepted["run_id"], "failed", "lab")
    assert "EDGETRAIN_AZURE_ML__METADATA_URL" in outcome["reason"], "what a run asks first names the setting"
    assert upstream.answers("assay-17") == [accepted, outcome]


def test_what_was_trained_already_is_answered_with_the_run_that_did(upstream: UpstreamClient, trained: str) -> None:
    sender = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    message_id = upstream.ask(body(TRAINED), application_properties={"Diagnostic-Id": sender.text})

    answer = upstream.wait_for_answer(message_id)

    assert (answer["kind"], answer["run_id"], answer["outcome"]) == ("already_trained", trained, "not_promoted")
    trace = read_trace(answer["properties"].pop("traceparent"))
    assert trace is not None
    assert trace.trace_id == sender.trace_id
    assert answer["properties"] == {"kind": "already_trained", "pipeline": TRAINED, "reply_to": ""}


def test_who_asks_for_what_is_being_trained_follows_that_run(
    upstream: UpstreamClient, surroundings: Surroundings
) -> None:
    ledger = surroundings.services.ledger
    run_id = a_run_of_somebody_else(surroundings.services, PIPELINE)

    message_id = upstream.ask(body(), correlation_id="c-1")

    answer = upstream.wait_for_answer("c-1")
    assert (answer["kind"], answer["run_id"]) == ("accepted", run_id)
    assert ledger.outcome_subscriptions.subscribers(run_id) == [ReplyTo(message_id=message_id, correlation_id="c-1")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00 no JSON", "the body is not JSON"),
        (b"\x00" * 200_000, "the body has 200000 bytes"),
        (b"", "the body is not JSON"),
        (b'{"schema": 1, "pipeline": "unheard-of"}', "there is no pipeline 'unheard-of'; known: "),
    ],
)
def test_what_can_never_work_is_answered_and_quarantined(upstream: UpstreamClient, content: bytes, reason: str) -> None:
    message_id = upstream.ask(content, correlation_id=f"bad-{len(content)}")

    answer = upstream.wait_for_answer(f"bad-{len(content)}")
    copy = upstream.wait_for_quarantined(message_id)

    assert (answer["kind"], answer["request_id"]) == ("rejected", message_id)
    assert answer["reason"].startswith(reason)
    assert copy["body"] == content
    assert copy["properties"] == {
        "reason": answer["reason"],
        "original_message_id": message_id,
        "correlation_id": f"bad-{len(content)}",
    }


def test_garbage_without_an_id_is_not_lost(upstream: UpstreamClient, surroundings: Surroundings) -> None:
    with (
        ServiceBusClient.from_connection_string(surroundings.broker.connection_string) as client,
        client.get_queue_sender(REQUESTS) as sender,
    ):
        for number in range(3):
            sender.send_messages(AmqpAnnotatedMessage(data_body=f"nameless {number}"))  # the other kind makes one up

    def copies() -> list[dict[str, Any]]:
        found = [each for each in upstream.quarantined() if each["body"].startswith(b"nameless")]
        return found if len(found) == 3 else []

    for copy in eventually(copies):
        assert copy["message_id"].startswith("sequence-")
        assert upstream.wait_for_answer(copy["message_id"])["kind"] == "rejected"


def test_a_duplicate_starts_nothing(upstream: UpstreamClient, host: HostProcess, trained: str) -> None:
    for _ in range(5):
        upstream.ask(body(TRAINED), message_id="twice")
    upstream.wait_for_answer("twice")
    history = host.durable("GET", f"instances/{instance_id('twice')}?showHistory=true").json()

    # What is sent last is dealt with last, or nearly so: no delivery of the first is left when it is answered.
    for number in range(10):
        upstream.wait_for_answer(upstream.ask(body(TRAINED), message_id=f"later-{number}"))

    assert host.durable("GET", f"instances/{instance_id('twice')}?showHistory=true").json() == history
    assert host.log.read_text(encoding="utf-8").count("'twice'") == 1


def test_an_id_that_was_used_for_something_else_is_rejected(upstream: UpstreamClient, trained: str) -> None:
    upstream.ask(body(TRAINED), message_id="reused", correlation_id="one")
    upstream.wait_for_answer("one")

    upstream.ask(body(TRAINED, force=True), message_id="reused", correlation_id="other")

    answer = upstream.wait_for_answer("other")
    assert (answer["kind"], answer["run_id"]) == ("rejected", None)
    assert upstream.wait_for_quarantined("reused")["properties"]["reason"] == answer["reason"]


def test_a_killed_hosts_messages_are_answered_by_the_next_one(
    tmp_path: Path, surroundings: Surroundings, trained: str
) -> None:
    entities = entities_of(tmp_path / "entities.json", RESULTS_TOPIC)
    with (
        running_broker(tmp_path / "broker", entities) as broker,
        upstream_client(endpoints(broker)) as upstream,
    ):
        with running_app(tmp_path / "state", surroundings.storage, broker) as first:
            ids = [upstream.ask(body(TRAINED), message_id=f"killed-{number}") for number in range(8)]
            eventually(lambda: "'killed-0'" in first.log.read_text(encoding="utf-8"))
            first.kill()

        with running_app(tmp_path / "state", surroundings.storage, broker):
            for message_id in ids:
                assert upstream.wait_for_answer(message_id)["run_id"] == trained


def test_a_rejection_that_cannot_be_answered_leaves_the_message_to_the_broker(
    tmp_path: Path, surroundings: Surroundings
) -> None:
    with (
        running_broker(tmp_path / "broker", entities_of(tmp_path / "entities.json")) as broker,
        running_app(tmp_path / "state", surroundings.storage, broker) as host,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
        client.get_queue_sender(REQUESTS) as sender,
        client.get_queue_receiver(REQUESTS, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as buried,
    ):
        sender.send_messages(ServiceBusMessage("garbage", message_id="unanswered"))

        (message,) = buried.receive_messages(1, max_wait_time=60)

        assert (message.message_id, message.dead_letter_reason) == ("unanswered", "MaxDeliveryCountExceeded")
        assert "create training-results" in host.log.read_text(encoding="utf-8")
