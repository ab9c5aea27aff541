"""What survives the broker, through the vendor's SDK and real process deaths."""

import json
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from tests.integration.service_bus.clients import Clients, receive
from tests.support.service_bus import BrokerProcess, a_queue, running_broker, start_broker, write_entities


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_entities(
        tmp_path / "entities.json",
        a_queue("orders", LockDuration="PT30S", RequiresDuplicateDetection=True),
    )


@contextmanager
def connected(state: Path, config: Path, port: int = 0) -> Iterator[tuple[BrokerProcess, Clients]]:
    with ExitStack() as stack:
        broker = stack.enter_context(running_broker(state, config, port=port))
        client = ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
        yield broker, stack.enter_context(Clients(stack.enter_context(client)))


def test_a_restart_keeps_messages_locks_count_as_deliveries_and_the_address_stays(state: Path, config: Path) -> None:
    with connected(state, config) as (broker, clients):
        clients.send("orders", *(ServiceBusMessage(text, message_id=text) for text in ("done", "dead", "held", "free")))
        done, dead, held = receive(clients.receiver("orders"), 3)
        clients.receiver("orders").complete_message(done)
        clients.receiver("orders").dead_letter_message(dead, reason="Odd", error_description="text")
        assert str(held) == "held"
        assert broker.terminate() == 0
        assert not (state / "endpoints.json").exists()
        first = broker

    with connected(state, config, first.port) as (broker, clients):
        assert broker.connection_string == first.connection_string
        clients.send("orders", ServiceBusMessage("again", message_id="done"))  # a duplicate still
        messages = receive(clients.receiver("orders"), 2)
        (buried,) = receive(clients.receiver("orders", dead=True), 1)

        assert [(str(message), message.delivery_count) for message in messages] == [("held", 1), ("free", 0)]
        assert [message.sequence_number for message in messages] == [3, 4]
        assert (str(buried), buried.dead_letter_reason) == ("dead", "Odd")


def test_a_killed_broker_has_all_it_accepted_and_forgets_no_settlement(state: Path, config: Path) -> None:
    accepted: set[str] = set()
    completed: set[str] = set()
    with connected(state, config) as (broker, clients):
        for number in range(40):
            clients.send("orders", str(number))
            accepted.add(str(number))
        for message in receive(clients.receiver("orders"), 20):
            clients.receiver("orders").complete_message(message)
            completed.add(str(message))
        broker.kill()
        with pytest.raises(ServiceBusError):
            clients.send("orders", "never accepted")

    with connected(state, config) as (_, clients):
        left = receive(clients.receiver("orders"), 20)
        assert {str(message) for message in left} == accepted - completed
        assert clients.receiver("orders").peek_messages(50, sequence_number=1)[-1].sequence_number == 40


def test_a_client_outlives_a_killed_broker(state: Path, config: Path) -> None:
    with connected(state, config) as (broker, clients):
        clients.send("orders", "before")
        broker.kill()
        with running_broker(state, config, port=broker.port) as second:
            assert second.process.pid != broker.process.pid
            with ServiceBusClient.from_connection_string(broker.connection_string) as client, Clients(client) as fresh:
                fresh.send("orders", "after")
                assert [str(message) for message in receive(fresh.receiver("orders"), 2)] == ["before", "after"]


def test_what_it_writes_is_its_owners_alone(state: Path, config: Path) -> None:
    with running_broker(state, config) as broker:
        names = {path.name for path in state.iterdir()}
        modes = {stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert {"endpoints.json", "key.json", "journal.sqlite3"} <= names
        assert modes == {0o600}
        assert json.loads((state / "endpoints.json").read_text(encoding="utf-8"))["pid"] == broker.process.pid
        ready = [line for line in broker.log.read_text(encoding="utf-8").splitlines() if line.startswith("ready ")]
        assert ready == [f"ready url=sb://127.0.0.1:{broker.port} pid={broker.process.pid}"]


def test_a_second_broker_on_the_same_state_refuses_to_start(state: Path, config: Path) -> None:
    with running_broker(state, config):
        second = start_broker(state, "--port", "0", "--config", str(config))
        assert second.wait(timeout=60) == 2
        log = state.with_name("state.log").read_text(encoding="utf-8")

    assert "another process" in log


def test_a_bad_configuration_refuses_to_start(state: Path, tmp_path: Path) -> None:
    bad = write_entities(tmp_path / "bad.json", a_queue("q", RequiresSession=True))

    assert start_broker(state, "--port", "0", "--config", str(bad)).wait(timeout=60) == 2
    assert "RequiresSession" in state.with_name("state.log").read_text(encoding="utf-8")
