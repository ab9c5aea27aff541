import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.meta import Datum
from azure.servicebus import ServiceBusReceivedMessage

from local_stack.functions_host.config import HostConfigError, ServiceBusOptions, load_host_config
from local_stack.functions_host.functions import Binding, HostedFunction
from local_stack.functions_host.triggers.service_bus import Namespace, Source
from local_stack.functions_host.triggers.service_bus_message import body_of, made_by_hand, metadata_of
from local_stack.service_bus.amqp_types import Described, Symbol, Timestamp, UInt, ULong
from local_stack.service_bus.codec import encode

SETTINGS = {
    "BUS": "connection",
    "BUS__fullyQualifiedNamespace": "not.this.one",
    "AzureWebJobsServiceBus": "default",
    "AzureWebJobsOther": "other",
    "Named__fullyQualifiedNamespace": "bus.example",
    "Named__clientId": "an-identity",
    "REQUESTS_CA_BUNDLE": "/ca.pem",
    "Q": "orders",
}


def function(**attributes: Any) -> HostedFunction:
    binding = Binding("message", "serviceBusTrigger", "IN", attributes)
    return HostedFunction("on_message", binding, (binding,), lambda message: None, "/app")


def options(folder: Path, **section: Any) -> ServiceBusOptions:
    document = {"version": "2.0", "extensions": {"serviceBus": section}}
    (folder / "host.json").write_text(json.dumps(document), encoding="utf-8")
    return load_host_config(folder, {}).service_bus


@pytest.mark.parametrize(
    ("attributes", "source"),
    [
        ({"queueName": "q", "connection": "BUS"}, Source(Namespace("connection"), "q")),
        ({"queueName": "%Q%", "connection": ""}, Source(Namespace("default"), "orders")),
        (
            {"topicName": "t", "subscriptionName": "%Q%", "connection": "Other", "cardinality": "ONE"},
            Source(Namespace("other"), "t", "orders"),
        ),
        (
            {"queueName": "q", "connection": "Named"},
            Source(Namespace(name="bus.example", client_id="an-identity", ca_bundle="/ca.pem"), "q"),
        ),
        ({"queueName": "q", "connection": "MISSING"}, None),
    ],
)
def test_where_messages_come_from(attributes: dict[str, Any], source: Source | None) -> None:
    assert Source.of(function(**attributes), SETTINGS) == source


@pytest.mark.parametrize(
    "attributes", [{"cardinality": "MANY"}, {"isSessionsEnabled": True}, {"queueName": "%MISSING%"}]
)
def test_what_is_not_served_stops_the_host(attributes: dict[str, Any]) -> None:
    with pytest.raises(HostConfigError):
        Source.of(function(**{"queueName": "q", "connection": "BUS", **attributes}), SETTINGS)


def test_options_of_the_host_file(tmp_path: Path) -> None:
    assert options(tmp_path) == ServiceBusOptions()
    assert ServiceBusOptions().max_lock_renewal == timedelta(minutes=5)
    assert options(
        tmp_path, maxConcurrentCalls=3, maxAutoLockRenewalDuration="00:00:30", autoCompleteMessages=True
    ) == ServiceBusOptions(3, timedelta(seconds=30))


@pytest.mark.parametrize(
    "section", [{"autoCompleteMessages": False}, {"maxConcurrentCalls": 0}, {"maxAutoLockRenewalDuration": "soon"}]
)
def test_options_that_cannot_be_used_are_refused(tmp_path: Path, section: dict[str, Any]) -> None:
    with pytest.raises(HostConfigError):
        options(tmp_path, **section)


def received(**sections: object) -> ServiceBusReceivedMessage:
    """A message as the SDK decodes it, here from bytes of ours."""
    codes = {"header": 0x70, "annotations": 0x72, "properties": 0x73, "application": 0x74, "data": 0x75, "value": 0x77}
    content = b"".join(encode(Described(ULong(codes[name]), value)) for name, value in sections.items())
    return ServiceBusReceivedMessage.from_bytes(content)


def as_function_argument(message: ServiceBusReceivedMessage) -> Any:
    converter = func.get_binding_registry().get("serviceBusTrigger")
    return converter.decode(body_of(message), trigger_metadata=metadata_of(message))


def test_a_function_gets_all_of_a_message() -> None:
    message = received(
        header=[None, None, None, None, UInt(2)],
        annotations={
            Symbol("x-opt-sequence-number"): 12,
            Symbol("x-opt-enqueued-time"): Timestamp(1_700_000_000_123),
            Symbol("x-opt-deadletter-source"): "orders",
            Symbol("x-opt-partition-key"): "p",
        },
        properties=["id", None, "to", "subject", "reply", "corr", Symbol("application/json")],
        application={"text": "täxt", "number": 7},
        data=b"\x00body",
    )

    given = as_function_argument(message)

    assert given.get_body() == b"\x00body"
    assert (given.message_id, given.correlation_id, given.content_type) == ("id", "corr", "application/json")
    assert (given.subject, given.label, given.to, given.reply_to) == ("subject", "subject", "to", "reply")
    assert (given.sequence_number, given.partition_key, given.dead_letter_source) == (12, "p", "orders")
    assert given.delivery_count == 3
    assert given.enqueued_time_utc.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert given.user_properties == given.application_properties == {"text": "täxt", "number": 7}
    assert given.session_id is None


def test_numbers_and_moments_come_as_the_host_sends_them_as_json() -> None:
    message = received(
        header=[None, None, None, None, UInt(2)],
        annotations={
            Symbol("x-opt-sequence-number"): 2**40,
            Symbol("x-opt-enqueued-time"): Timestamp(1_700_000_000_120),
        },
        properties=["id"],
        data=b"",
    )

    sent = metadata_of(message)

    assert (sent["SequenceNumber"].type, sent["SequenceNumber"].value) == ("json", "1099511627776")
    assert (sent["DeliveryCount"].type, sent["DeliveryCount"].value) == ("json", "3")
    assert (sent["EnqueuedTimeUtc"].type, sent["EnqueuedTimeUtc"].value) == ("json", '"2023-11-14T22:13:20.12Z"')
    assert {datum.type for datum in sent.values()} <= {"string", "json", "bytes", "double"}


@pytest.mark.parametrize(("value", "body"), [("text", b"text"), (b"bytes", b"bytes"), (7, b"7")])
def test_a_value_body_is_given_as_bytes_too(value: object, body: bytes) -> None:
    given = as_function_argument(received(properties=["id"], value=value))

    assert given.get_body() == body
    assert given.delivery_count == 1
    assert given.user_properties == {}


def test_a_message_made_by_hand_can_be_decoded() -> None:
    converter = func.get_binding_registry().get("serviceBusTrigger")

    given = converter.decode(Datum("text", "string"), trigger_metadata=made_by_hand())

    assert (given.get_body(), given.delivery_count, given.user_properties) == (b"text", 1, {})
    assert given.message_id
