"""The Service Bus trigger: a real host, a real broker process, and messages sent and looked for by the vendor's SDK."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from tests.support.functions_host import HostProcess, running_host
from tests.support.service_bus import LOCK_SECONDS, BrokerProcess, a_queue, running_broker, write_entities
from tests.support.service_process import eventually

QUEUE = "requests"


@dataclass
class Queue:
    """The queue, seen from outside the host."""

    client: ServiceBusClient

    def send(self, text: str, message_id: str, *, to: str = QUEUE, **more: Any) -> None:
        sender = self.client.get_queue_sender(to) if to == QUEUE else self.client.get_topic_sender(to)
        with sender:
            sender.send_messages(ServiceBusMessage(text, message_id=message_id, **more))

    def is_empty(self) -> bool:
        with self.client.get_queue_receiver(QUEUE) as receiver:
            return not receiver.peek_messages(1, sequence_number=1)

    def dead_letter(self) -> tuple[str | None, str | None]:
        with self.client.get_queue_receiver(QUEUE, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
            (buried,) = receiver.receive_messages(1, max_wait_time=30)
            receiver.complete_message(buried)
            return buried.message_id, buried.dead_letter_reason


def entities(folder: Path) -> Path:
    topic = {"Name": "results", "Subscriptions": [{"Name": "all"}]}
    return write_entities(folder / "entities.json", a_queue(QUEUE), topics=(topic,))


def settings(broker: BrokerProcess) -> dict[str, str]:
    return {
        "SAMPLE_SERVICE_BUS": broker.connection_string,
        "SAMPLE_QUEUE": QUEUE,
        "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls": "4",
        "AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration": "00:05:00",
    }


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    folder = tmp_path_factory.mktemp("service-bus")
    with running_broker(folder / "state", entities(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def queue(broker: BrokerProcess) -> Iterator[Queue]:
    with ServiceBusClient.from_connection_string(broker.connection_string) as client:
        yield Queue(client)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, broker: BrokerProcess) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("host") / "state", settings=settings(broker)) as running:
        yield running


def deliveries(host: HostProcess, message_id: str, kind: str = "message") -> list[int]:
    return [entry["delivery"] for entry in host.journal(kind) if entry["id"] == message_id]


def release(host: HostProcess, message_id: str) -> None:
    with (host.state / "journal").open("a", encoding="utf-8") as journal:
        journal.write(json.dumps({"kind": "release", "id": message_id}) + "\n")


def test_a_message_is_handed_over_whole_and_completed(host: HostProcess, queue: Queue) -> None:
    queue.send(
        "note",
        "whole",
        application_properties={"text": "täxt", "number": 7},
        correlation_id="c",
        reply_to="r",
        subject="s",
    )

    eventually(lambda: deliveries(host, "whole", "message done"))

    (entry,) = (entry for entry in host.journal("message") if entry["id"] == "whole")
    assert (entry["text"], entry["delivery"], entry["properties"]) == ("note", 1, {"text": "täxt", "number": 7})
    assert (entry["correlation_id"], entry["reply_to"], entry["subject"]) == ("c", "r", "s")
    assert entry["enqueued_at"].endswith("+00:00")
    assert entry["sequence"] >= 1
    eventually(queue.is_empty)


def test_a_failed_message_comes_again_at_once_and_its_text_is_not_logged(host: HostProcess, queue: Queue) -> None:
    queue.send("fail once", "second-try")

    eventually(lambda: deliveries(host, "second-try", "message done") == [2])

    assert deliveries(host, "second-try") == [1, 2]
    log = host.log.read_text(encoding="utf-8")
    assert "message failed function=on_message" in log
    assert "a secret" not in log.replace('raise ValueError("asked to fail, with a secret in the text")', "")


def test_a_poisonous_message_goes_to_the_dead_letters(host: HostProcess, queue: Queue) -> None:
    queue.send("fail", "poison")

    assert queue.dead_letter() == ("poison", "MaxDeliveryCountExceeded")
    assert deliveries(host, "poison") == [1, 2, 3]
    assert queue.is_empty()


def test_a_function_keeps_its_message_for_longer_than_the_lock(host: HostProcess, queue: Queue) -> None:
    queue.send("hold", "long")
    eventually(lambda: deliveries(host, "long"))

    # Nobody else gets it, and other messages are served meanwhile.
    with queue.client.get_queue_receiver(QUEUE) as receiver:
        assert receiver.receive_messages(1, max_wait_time=LOCK_SECONDS * 2.5) == []
    queue.send("note", "meanwhile")
    eventually(lambda: deliveries(host, "meanwhile", "message done"))
    release(host, "long")

    eventually(lambda: deliveries(host, "long", "message done") == [1])
    assert deliveries(host, "long") == [1]
    eventually(queue.is_empty)


def test_a_subscription_calls_its_function_with_a_durable_client(host: HostProcess, queue: Queue) -> None:
    queue.send("4", "seven", to="results")

    reply = eventually(lambda: _done(host, "instances/result-seven"))

    assert reply["output"] == {"value": 7}


def _done(host: HostProcess, path: str) -> Any:
    reply = host.durable("GET", path)
    return reply.json() if reply.status_code == 200 else None


@contextmanager
def own_broker(folder: Path, port: int = 0) -> Iterator[tuple[BrokerProcess, Queue]]:
    with (
        running_broker(folder / "broker", entities(folder), port=port) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
    ):
        yield broker, Queue(client)


def test_a_killed_hosts_message_goes_to_the_next_one(tmp_path: Path) -> None:
    with own_broker(tmp_path) as (broker, queue):
        with running_host(tmp_path / "state", settings=settings(broker)) as first:
            queue.send("hold", "interrupted")
            eventually(lambda: deliveries(first, "interrupted") == [1])
            first.kill()

        with running_host(tmp_path / "state", settings=settings(broker)) as second:
            eventually(lambda: deliveries(second, "interrupted", "message done") == [2])
            eventually(queue.is_empty)


def test_a_polite_stop_settles_what_ends_in_time(tmp_path: Path) -> None:
    with own_broker(tmp_path) as (broker, queue):
        with running_host(tmp_path / "state", settings=settings(broker)) as host:
            queue.send("hold", "ending")
            eventually(lambda: deliveries(host, "ending") == [1])
            host.process.terminate()
            eventually(lambda: "stopping" in host.log.read_text(encoding="utf-8"))
            release(host, "ending")
            assert host.process.wait(timeout=300) == 0

        assert deliveries(host, "ending", "message done") == [1]
        assert queue.is_empty()
        log = host.log.read_text(encoding="utf-8")
        assert not any(word in log for word in ("Unclosed", "Traceback", "never retrieved", "ERROR"))


def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    with own_broker(tmp_path) as (broker, queue):
        with running_host(tmp_path / "state", "--grace", "0.5", settings=settings(broker)) as host:
            queue.send("hold", "endless")
            eventually(lambda: deliveries(host, "endless") == [1])
            assert host.terminate() == 0

        with running_host(tmp_path / "state", settings=settings(broker)) as second:
            eventually(lambda: deliveries(second, "endless", "message done") == [2])


def test_the_host_comes_back_to_a_broker_that_was_away(tmp_path: Path) -> None:
    with own_broker(tmp_path) as (first, _), running_host(tmp_path / "state", settings=settings(first)) as host:
        eventually(lambda: "receiving function=on_message" in host.log.read_text(encoding="utf-8"))
        first.kill()
        eventually(lambda: "not receiving function=on_message" in host.log.read_text(encoding="utf-8"))
        with own_broker(tmp_path, first.port) as (_, queue):
            queue.send("note", "after")
            eventually(lambda: deliveries(host, "after", "message done") == [1])


def test_a_function_can_be_run_by_hand(host: HostProcess) -> None:
    done = len(host.journal("message done"))

    asked = host.call("POST", "/admin/functions/on_message", json={"input": "note"})

    assert asked.status_code == 202
    eventually(lambda: len(host.journal("message done")) > done)
    assert host.journal("message")[-1]["text"] == "note"


def test_a_host_without_the_connections_setting_serves_the_rest(tmp_path: Path) -> None:
    with running_host(tmp_path / "state") as host:
        assert host.call("GET", "/").status_code == 200

        log = host.log.read_text(encoding="utf-8")
        assert "setting missing function=on_message setting=SAMPLE_SERVICE_BUS" in log
