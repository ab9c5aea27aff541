import contextlib
import struct
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.service_bus.amqp_types import CodecError, Described, Symbol, ULong, Value
from local_stack.service_bus.codec import decode, encode
from local_stack.service_bus.frames import (
    HEADER_SIZE,
    MAX_FRAME,
    SOURCE,
    TARGET,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Performative,
    Transfer,
    address_of,
    decode_frame,
    encode_frame,
    error,
    frame_size,
    padded,
)
from tests.unit.service_bus.strategies import garbage, values

EXAMPLES: dict[int, Performative] = {
    10: Open(container_id="c"),
    8: Begin(next_outgoing_id=0, incoming_window=1, outgoing_window=2),
    14: Attach(name="l", handle=0, role=True),
    11: Flow(incoming_window=1, next_outgoing_id=2, outgoing_window=3, handle=4, link_credit=5),
    6: Disposition(role=True, first=1, settled=True),
    3: Detach(handle=1, closed=True),
}


@pytest.mark.parametrize(
    ("length", "performative"), [*EXAMPLES.items(), (11, Transfer(handle=0)), (1, End()), (1, Close())]
)
def test_performatives_are_written_at_full_length_and_read_back(length: int, performative: Performative) -> None:
    frame = encode_frame(7, performative, b"payload")

    described = decode(performative.encode())
    assert isinstance(described, Described)
    assert isinstance(described.value, list)
    assert len(described.value) == length == len(fields(performative))
    assert frame_size(frame[:HEADER_SIZE]) == len(frame)
    assert decode_frame(frame) == (7, performative, b"payload")


def test_a_frame_without_a_body_keeps_a_connection_alive() -> None:
    assert decode_frame(struct.pack(">IBBH", 8, 2, 0, 0)) == (0, None, b"")


@pytest.mark.parametrize(
    "header",
    [struct.pack(">IBBH", 7, 2, 0, 0), struct.pack(">IBBH", MAX_FRAME + 1, 2, 0, 0), struct.pack(">IBBH", 8, 1, 0, 0)],
)
def test_impossible_sizes_are_refused(header: bytes) -> None:
    with pytest.raises(CodecError):
        frame_size(header)


@given(st.sampled_from(sorted(range(0x10, 0x19))), st.lists(values, max_size=12))
def test_performatives_with_any_fields_are_read_or_refused(code: int, given_fields: list[Value]) -> None:
    body = encode(Described(ULong(code), given_fields))

    with contextlib.suppress(CodecError):
        decode_frame(struct.pack(">IBBH", len(body) + 8, 2, 0, 0) + body)


@given(garbage)
def test_garbage_frames_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(CodecError):
        decode_frame(struct.pack(">IBBH", len(body) + 8, 2, 0, 0) + body)


def test_errors_have_all_three_elements() -> None:
    assert error("amqp:not-found", "gone").value == [Symbol("amqp:not-found"), "gone", {}]


@pytest.mark.parametrize(("code", "length"), [(SOURCE, 11), (TARGET, 7)])
def test_sources_and_targets_are_given_back_at_full_length(code: int, length: int) -> None:
    short = Described(ULong(code), ["amqps://127.0.0.1:1/q"])

    assert address_of(short, code) == "amqps://127.0.0.1:1/q"
    assert padded(short, code) == Described(ULong(code), ["amqps://127.0.0.1:1/q", *[None] * (length - 1)])
    assert address_of(None, code) == address_of(Described(ULong(code), [7]), code) == ""
