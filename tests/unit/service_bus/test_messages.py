import contextlib
import uuid

import pytest
from hypothesis import given

from local_stack.service_bus.amqp_types import (
    CodecError,
    Described,
    Int,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    Value,
)
from local_stack.service_bus.codec import encode
from local_stack.service_bus.messages import BATCH_FORMAT, drafts_of, on_delivery, parse, reply_to, tag_of
from local_stack.service_bus.records import DeadLetter, Lock, Message
from tests.unit.service_bus.strategies import garbage


def section(code: int, value: Value) -> bytes:
    return encode(Described(ULong(code), value))


PROPERTIES = section(0x73, [uuid.UUID(int=7), None, "to", "subject", "reply", ULong(9), Symbol("application/json")])
APPLICATION = section(0x74, {"kind": Int(1)})
BODY = section(0x75, b"one") + section(0x75, b"two")
SENT = section(0x70, [True, UByte(4)]) + section(0x72, {Symbol("x-own"): 1}) + PROPERTIES + APPLICATION + BODY


def stored(content: bytes = SENT, **more: object) -> Message:
    return Message(sequence=4, source_sequence=3, content=content, enqueued_at=10.0, **more)  # type: ignore[arg-type]


def test_what_the_core_wants_to_know_is_read() -> None:
    (draft,) = drafts_of(SENT, 0)

    assert draft.content == SENT
    assert draft.message_id == str(uuid.UUID(int=7))


def test_what_is_not_served_is_refused() -> None:
    for asked in (section(0x70, [True, None, UInt(1500)]), section(0x72, {Symbol("x-opt-scheduled-enqueue-time"): 1})):
        with pytest.raises(CodecError, match="not served here"):
            drafts_of(asked + BODY, 0)


def test_only_the_format_makes_a_batch() -> None:
    batch = section(0x75, SENT) + section(0x75, BODY)

    assert [draft.content for draft in drafts_of(batch, BATCH_FORMAT)] == [SENT, BODY]
    assert [draft.content for draft in drafts_of(batch, 0)] == [batch]


def test_a_delivery_has_the_brokers_annotations_and_the_senders_bare_message() -> None:
    payload = on_delivery(stored(delivery_count=2, lock=Lock(uuid.UUID(int=1), 40.5)))

    sections = parse(payload)
    assert payload.endswith(PROPERTIES + APPLICATION + BODY)
    assert sections.header == [True, 4, None, None, 2]
    assert sections.annotations == {
        "x-own": 1,
        "x-opt-sequence-number": 4,
        "x-opt-enqueue-sequence-number": 3,
        "x-opt-enqueued-time": Timestamp(10_000),
        "x-opt-message-state": 0,
        "x-opt-locked-until": Timestamp(40_500),
    }


def test_a_dead_letter_says_why_and_keeps_the_types_of_its_properties() -> None:
    sections = parse(on_delivery(stored(dead_letter=DeadLetter("Bad", "because", "orders"))))

    assert sections.application == {"kind": 1, "DeadLetterReason": "Bad", "DeadLetterErrorDescription": "because"}
    assert isinstance(sections.application["kind"], Int)
    assert sections.annotations["x-opt-deadletter-source"] == "orders"
    assert sections.data == [b"one", b"two"]


@pytest.mark.parametrize("message_id", [uuid.UUID(int=7), ULong(9), "text", b"bytes"])
def test_an_answer_is_correlated_by_an_id_of_the_same_type(message_id: Value) -> None:
    request = parse(section(0x73, [message_id]) + section(0x77, "body"))

    answer = parse(reply_to(request, {"statusCode": 200}, {"a": 1}))

    assert answer.property_at(5) == message_id
    assert type(answer.property_at(5)) is type(message_id)
    assert answer.value == {"a": 1}


@pytest.mark.parametrize(
    "payload",
    [
        b"\x40",
        section(0x79, 1),
        BODY + PROPERTIES,
        section(0x73, "no list"),
        section(0x75, "no bytes"),
        encode(Described(Symbol("amqp:data:binary"), b"")),
    ],
)
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(CodecError):
        parse(payload)


@given(garbage)
def test_any_payload_is_accepted_or_refused_and_what_is_accepted_can_be_delivered(payload: bytes) -> None:
    with contextlib.suppress(CodecError):
        for draft in drafts_of(payload, 0):
            parse(on_delivery(stored(draft.content, dead_letter=DeadLetter("r", "d", "s"))))


def test_the_lock_token_is_the_tag_in_the_byte_order_of_dotnet() -> None:
    token = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")

    assert tag_of(token).hex() == "33221100554477668899aabbccddeeff"
