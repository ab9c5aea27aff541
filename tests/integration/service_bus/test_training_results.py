"""Answers and copies of bad messages, sent by the app's client to the namespace that the local stack has."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.aio import ServiceBusClient as AsyncClient

from cli.schemas import FOLDER
from shared.clients.service_bus import QUARANTINE, RESULTS, RejectedMessage, TrainingResults
from shared.clients.service_bus_access import BusAccess
from shared.clients.service_bus_sender import BusSender
from shared.errors import Code, PermanentError, TransientError
from shared.messages import ReplyTo, Stage
from shared.settings import ServiceBus
from shared.wire_contracts.training_answers import TrainingAnswer, rejection
from tests.integration.service_bus.clients import receive
from tests.support.arrivals import a_run_record
from tests.support.service_bus import BrokerProcess, a_queue, running_broker, write_entities
from tests.support.workflow import START

REPLY = ReplyTo(message_id="message-1", correlation_id="assay-17", reply_to="lab/answers")


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """The entities that the stack has."""
    with running_broker(tmp_path_factory.mktemp("namespace") / "state") as running:
        yield running


@pytest.fixture(scope="module")
def results(namespace: BrokerProcess) -> Iterator[TrainingResults]:
    made = TrainingResults(BusAccess.of(namespace.connection_string))
    yield made
    made.close()


@pytest.fixture(scope="module")
def upstream(namespace: BrokerProcess) -> Iterator[ServiceBusReceiver]:
    with (
        ServiceBusClient.from_connection_string(namespace.connection_string) as client,
        client.get_subscription_receiver(RESULTS, "upstream") as receiver,
    ):
        yield receiver


@pytest.fixture(scope="module")
def quarantine(namespace: BrokerProcess) -> Iterator[ServiceBusReceiver]:
    with (
        ServiceBusClient.from_connection_string(namespace.connection_string) as client,
        client.get_queue_receiver(QUARANTINE) as receiver,
    ):
        yield receiver


def taken(receiver: ServiceBusReceiver, count: int = 1) -> list[ServiceBusReceivedMessage]:
    """The next messages, and there are no others."""
    messages = receive(receiver, count)
    for message in messages:
        receiver.complete_message(message)
    assert receiver.peek_messages(1, sequence_number=1) == []
    return messages


def properties_of(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    found = message.application_properties or {}
    return {key.decode(): value.decode() for key, value in found.items()}  # type: ignore[union-attr]


def an_answer(message_id: str) -> TrainingAnswer:
    return rejection(ReplyTo(message_id=message_id), "p", "no")


def test_an_outcome_arrives_whole(results: TrainingResults, upstream: ServiceBusReceiver) -> None:
    record = a_run_record(metrics={"accuracy": 0.97}, stage=Stage.DONE, ended_at=START)

    results.outcome(REPLY, record)

    (message,) = taken(upstream)
    body = json.loads(b"".join(message.body))
    assert (body["schema"], body["kind"], body["run_id"]) == (1, "outcome", record.run_id)
    assert (body["outcome"], body["reason"]) == ("not_promoted", "the champion stays")
    assert (body["metrics"], body["ended_at"]) == ({"accuracy": 0.97}, "2026-05-01T10:00:00Z")
    assert body.keys() == json.loads((FOLDER / "training-answer.json").read_text("utf-8"))["properties"].keys()
    assert (message.message_id, message.correlation_id) == ("message-1-outcome", "assay-17")
    assert (message.subject, message.to, message.content_type) == ("outcome", "lab/answers", "application/json")
    expected = {"kind": "outcome", "pipeline": "breast-cancer", "reply_to": "lab/answers"}
    assert properties_of(message) == expected


def test_a_repeat_is_dropped_and_another_answer_is_not(results: TrainingResults, upstream: ServiceBusReceiver) -> None:
    for _ in range(3):
        results.send(an_answer("again"))
    results.send(an_answer("another"))

    assert [message.message_id for message in taken(upstream, 2)] == ["again-rejected", "another-rejected"]


@pytest.mark.parametrize("body", [b"", b"\xff\x00{", bytes(range(256)) * 800], ids=["empty", "binary", "200 kB"])
def test_a_bad_message_is_copied_byte_for_byte_with_the_reason(
    results: TrainingResults, quarantine: ServiceBusReceiver, body: bytes
) -> None:
    reply = ReplyTo(message_id=f"bad-{len(body)}", correlation_id="assay-17", reply_to="lab")

    for _ in range(2):
        results.quarantine(RejectedMessage(body=body, reason="the body is not JSON", reply=reply))

    (message,) = taken(quarantine)
    assert b"".join(message.body) == body
    assert (message.message_id, message.correlation_id, message.reply_to) == (reply.message_id, "assay-17", "lab")
    assert properties_of(message) == {
        "reason": "the body is not JSON",
        "original_message_id": reply.message_id,
        "correlation_id": "assay-17",
    }


def test_threads_share_it(results: TrainingResults, upstream: ServiceBusReceiver) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(results.send, [an_answer(f"shared-{number}") for number in range(40)]))

    expected = {f"shared-{number}-rejected" for number in range(40)}
    assert {message.message_id for message in taken(upstream, 40)} == expected


def test_a_broker_that_is_away_is_trouble_that_passes(tmp_path: Path) -> None:
    with running_broker(tmp_path / "state") as first:
        results = TrainingResults(BusAccess.of(first.connection_string))
        results.send(an_answer("before"))
        first.kill()

        with pytest.raises(TransientError, match="training-results"):
            results.send(an_answer("meanwhile"))

    with running_broker(tmp_path / "state", port=first.port) as second:
        results.send(an_answer("meanwhile"))
        # A restart between two messages shows as an error on the old connection only, and is not noticed outside.
        second.kill()
    with running_broker(tmp_path / "state", port=first.port) as third:
        results.send(an_answer("after"))
        results.close()

        with (
            ServiceBusClient.from_connection_string(third.connection_string) as client,
            client.get_subscription_receiver(RESULTS, "upstream") as upstream,
        ):
            ids = [message.message_id for message in taken(upstream, 3)]
    assert ids == ["before-rejected", "meanwhile-rejected", "after-rejected"]


def an_outlet(connection_string: str, *, seconds: float = 20) -> BusSender:
    return BusSender(RESULTS, BusAccess.of(connection_string), AsyncClient.get_topic_sender, seconds=seconds)


def test_a_broker_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with running_broker(tmp_path / "state") as broker:
        known, new = an_outlet(broker.connection_string, seconds=120), an_outlet(broker.connection_string, seconds=2)
        known.send(ServiceBusMessage("x"))
        known._seconds = 2  # to connect may take a busy machine longer
        os.kill(broker.process.pid, signal.SIGSTOP)
        try:
            for outlet in (known, new, known):
                with pytest.raises(TransientError, match="within 2 s"):
                    outlet.send(ServiceBusMessage("x"))
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)

        an_outlet(broker.connection_string, seconds=120).send(ServiceBusMessage("x"))


def test_nobody_who_listens_is_trouble_that_passes() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"sb://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(TransientError):
        an_outlet(f"Endpoint={address};SharedAccessKeyName=n;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;").send(
            ServiceBusMessage("x")
        )


def refusal(results: TrainingResults) -> str:
    with pytest.raises(PermanentError) as caught:
        results.send(an_answer("refused"))
    assert caught.value.code is Code.BAD_CONFIGURATION
    return caught.value.reason


def test_a_topic_that_is_missing_is_to_be_created(tmp_path: Path) -> None:
    entities = write_entities(tmp_path / "entities.json", a_queue("training-requests"))
    with running_broker(tmp_path / "state", entities) as broker:
        assert refusal(TrainingResults(BusAccess.of(broker.connection_string))).endswith("; create training-results")


def test_a_wrong_key_is_named_by_its_setting_and_never_shown(namespace: BrokerProcess) -> None:
    wrong = namespace.connection_string.replace("SharedAccessKey=", "SharedAccessKey=AAAAAAAA")

    reason = refusal(TrainingResults(BusAccess.of(wrong)))

    assert "key in ServiceBusConnection" in reason
    assert "AAAAAAAA" not in reason


def test_without_a_connection_string_the_setting_is_named() -> None:
    assert "ServiceBusConnection" in refusal(TrainingResults(BusAccess(ServiceBus())))


@pytest.mark.parametrize("text", ["", "c2VjcmV0", "Endpoint=sb://lab;SharedAccessKey=c2VjcmV0", "a;c2VjcmV0"])
def test_what_is_no_connection_string_is_not_repeated(text: str) -> None:
    reason = refusal(TrainingResults(BusAccess.of(text)))

    assert reason.startswith("ServiceBusConnection ")
