"""A session without a connection: what it answers to frames, wanted and unwanted."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.service_bus.amqp_types import Array, CodecError, Described, Symbol, ULong, Value
from local_stack.service_bus.codec import encode
from local_stack.service_bus.frames import (
    ACCEPTED,
    MODIFIED,
    REJECTED,
    SOURCE,
    TARGET,
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Performative,
    Transfer,
    composite,
    outcome,
)
from local_stack.service_bus.messages import parse
from local_stack.service_bus.session import Session
from local_stack.service_bus.tokens import UnauthorizedError
from tests.unit.service_bus.broker import broker, draft, queue

ADDRESS = "amqps://127.0.0.1:5672/"
MESSAGE = encode(Described(ULong(0x73), ["id"])) + encode(Described(ULong(0x75), b"body"))


class Peer:
    """Keeps what the session sends."""

    def __init__(self, *, max_frame: int = 1 << 16) -> None:
        self.broker = broker(queue())
        self.max_frame = max_frame
        self.sent: list[tuple[Performative, bytes]] = []
        self.locked_out: set[str] = set()
        self.session = Session(self, 1, Begin(next_outgoing_id=0, incoming_window=100, outgoing_window=100))

    def send(self, channel: int, performative: Performative, payload: bytes = b"") -> None:
        performative.encode()
        self.sent.append((performative, payload))

    def authorize(self, path: str) -> None:
        if path in self.locked_out:
            raise UnauthorizedError("no")

    def take_token(self, request: bytes) -> bytes:
        return request

    def get(self, performative: Performative, payload: bytes = b"") -> list[Any]:
        """Give the session a frame; what it answers."""
        before = len(self.sent)
        self.session.handle(performative, payload)
        return [sent for sent, _ in self.sent[before:]]

    def attach(self, path: str, *, receiver: bool, handle: int = 0, **more: Any) -> list[Any]:
        source = Described(ULong(SOURCE), [ADDRESS + path if "$" not in path else path])
        target = Described(ULong(TARGET), [ADDRESS + path if "$" not in path else path])
        frame = Attach(
            name=f"link{handle}",
            handle=handle,
            role=receiver,
            source=source,
            target=target,
            **{"snd_settle_mode": 0, **more},
        )
        return self.get(frame)

    def credit(self, credit: int, *, handle: int = 0, delivery_count: int = 0, **more: Any) -> list[Any]:
        windows: dict[str, Any] = {"incoming_window": 100, "next_outgoing_id": 0, "outgoing_window": 100}
        return self.get(Flow(handle=handle, delivery_count=delivery_count, link_credit=credit, **windows, **more))


def condition(frame: Any) -> str:
    described = composite(
        frame.error if isinstance(frame, Detach) else (composite(frame.state, REJECTED) or [None])[0], 0x1D
    )
    return str(described[0]) if described else ""


def test_deliveries_keep_to_the_credit_and_the_window() -> None:
    peer = Peer()
    peer.broker.inbox("orders").send([draft_of(str(number)) for number in range(5)])
    peer.attach("orders", receiver=True)

    two = peer.credit(2)
    windowless = peer.get(
        Flow(
            handle=0,
            delivery_count=2,
            link_credit=9,
            next_incoming_id=two[-1].delivery_id,
            incoming_window=1,
            next_outgoing_id=0,
            outgoing_window=9,
        )
    )
    drained = peer.credit(9, delivery_count=2, next_incoming_id=two[-1].delivery_id + 1, drain=True)

    assert [type(frame) for frame in two] == [Transfer, Transfer]
    assert two[0].settled is False
    assert windowless == []
    assert [type(frame) for frame in drained] == [Transfer, Transfer, Transfer, Flow]
    assert (drained[-1].delivery_count, drained[-1].link_credit, drained[-1].drain) == (11, 0, True)


def draft_of(name: str) -> Any:
    return type(draft())(encode(Described(ULong(0x75), name.encode())))


def test_a_message_larger_than_a_frame_is_split_and_put_together() -> None:
    peer = Peer(max_frame=512)
    peer.attach("orders", receiver=False)
    body = encode(Described(ULong(0x75), bytes(2000)))

    first = peer.get(Transfer(handle=0, delivery_id=0, delivery_tag=b"t", more=True), body[:900])
    answer = peer.get(Transfer(handle=0), body[900:])
    peer.attach("orders", receiver=True, handle=1)
    frames = peer.credit(1, handle=1)

    assert first == []
    assert [type(frame) for frame in answer] == [Disposition]
    assert composite(answer[0].state, ACCEPTED) is not None
    assert [frame.more for frame in frames] == [True] * (len(frames) - 1) + [False]
    assert [frame.delivery_id is not None for frame in frames] == [True] + [False] * (len(frames) - 1)
    whole = b"".join(payload for sent, payload in peer.sent if isinstance(sent, Transfer))
    assert parse(whole).data == [bytes(2000)]


def test_an_aborted_message_is_forgotten() -> None:
    peer = Peer()
    peer.attach("orders", receiver=False)
    peer.get(Transfer(handle=0, delivery_id=0, delivery_tag=b"t", more=True), MESSAGE[:5])

    assert peer.get(Transfer(handle=0, aborted=True)) == []
    peer.get(Transfer(handle=0, delivery_id=1, delivery_tag=b"t", settled=True), MESSAGE)

    assert [message.content for message in peer.broker.queue("orders").peek(0, 9)] == [MESSAGE]


@pytest.mark.parametrize(
    ("path", "receiver", "expected"),
    [
        ("nowhere", True, "amqp:not-found"),
        ("nowhere", False, "amqp:not-found"),
        ("", False, "amqp:not-found"),
        ("orders/$DeadLetterQueue", False, "amqp:not-allowed"),
        ("closed", True, "amqp:unauthorized-access"),
        ("closed/$management", False, "amqp:unauthorized-access"),
    ],
)
def test_a_refused_link_is_attached_without_ends_and_detached(path: str, receiver: bool, expected: str) -> None:
    peer = Peer()
    peer.locked_out = {"closed", "closed/$management"}

    attached, detached = peer.attach(path, receiver=receiver)

    assert (attached.source, attached.target, attached.role) == (None, None, not receiver)
    assert (detached.closed, condition(detached)) == (True, expected)
    assert peer.get(Transfer(handle=0, delivery_id=0), MESSAGE) == []  # any answer would hide the error
    assert peer.get(Detach(handle=0, closed=True)) == []


@pytest.mark.parametrize("state", [outcome(MODIFIED, True, True), outcome(ACCEPTED)])
def test_a_deferral_and_a_second_settlement_are_refused(state: Described) -> None:
    peer = Peer()
    peer.broker.inbox("orders").send([draft_of("a")])
    peer.attach("orders", receiver=True)
    (transfer,) = peer.credit(1)
    delivery_id = transfer.delivery_id

    (first,) = peer.get(Disposition(role=True, first=delivery_id, state=state))
    (second,) = peer.get(Disposition(role=True, first=delivery_id, last=delivery_id, state=outcome(ACCEPTED)))

    assert condition(first) == ("amqp:not-allowed" if state.value else "")
    assert condition(second) == "com.microsoft:message-lock-lost"
    assert second.settled is True


def request(operation: str, body: Value) -> bytes:
    sections = [(0x73, [uuid.UUID(int=1)]), (0x74, {"operation": f"com.microsoft:{operation}"}), (0x77, body)]
    return b"".join(encode(Described(ULong(code), value)) for code, value in sections)


@pytest.mark.parametrize(
    ("operation", "body", "status", "error"),
    [
        ("renew-lock", {"lock-tokens": Array(uuid.UUID, (uuid.UUID(int=9),))}, 410, "com.microsoft:message-lock-lost"),
        ("renew-lock", {}, 400, "com.microsoft:argument-error"),
        ("peek-message", {"from-sequence-number": 0, "message-count": 1}, 204, None),
        ("peek-message", {"from-sequence-number": "x"}, 400, "com.microsoft:argument-error"),
        (
            "update-disposition",
            {"lock-tokens": Array(uuid.UUID, (uuid.UUID(int=9),))},
            400,
            "com.microsoft:argument-error",
        ),
        ("schedule-message", {}, 501, "amqp:not-implemented"),
    ],
)
def test_management_answers_what_it_does_not_do(operation: str, body: Value, status: int, error: str | None) -> None:
    peer = Peer()
    peer.attach("orders/$management", receiver=False, handle=0)
    peer.attach("orders/$management", receiver=True, handle=1)
    peer.get(Transfer(handle=0, delivery_id=0), request(operation, body))

    assert not [sent for sent, _ in peer.sent if isinstance(sent, Transfer)], "answers wait for credit"
    peer.credit(1, handle=1)

    answer = parse(peer.sent[-1][1])
    assert (answer.application["statusCode"], answer.application.get("errorCondition")) == (status, error)
    assert answer.property_at(5) == uuid.UUID(int=1)


def test_a_lost_clients_message_can_be_settled_by_its_token() -> None:
    peer = Peer()
    peer.broker.inbox("orders").send([draft("a"), draft("b"), draft("c")])
    orders = peer.broker.queue("orders")
    tokens = [token for token, _ in orders.lock(3)]
    peer.attach("orders/$management", receiver=False)

    for token, status in zip(tokens, ("completed", "abandoned", "suspended"), strict=True):
        body = {"lock-tokens": Array(uuid.UUID, (token,)), "disposition-status": status, "deadletter-reason": "Odd"}
        peer.get(Transfer(handle=0, delivery_id=0), request("update-disposition", body))

    assert [(message.content, message.delivery_count) for message in orders.peek(0, 9)] == [(b"b", 1)]
    (dead,) = peer.broker.queue("orders/$DeadLetterQueue").peek(0, 9)
    assert dead.dead_letter is not None
    assert dead.dead_letter.reason == "Odd"


@pytest.mark.parametrize(
    "frame",
    [
        Transfer(handle=7, delivery_id=0),
        Flow(handle=7, incoming_window=1, next_outgoing_id=1, outgoing_window=1),
        Detach(handle=7),
        Disposition(role=True, first=0, last=1 << 31),
        Begin(next_outgoing_id=0, incoming_window=1, outgoing_window=1),
        Transfer(handle=0, delivery_id=0),
    ],
)
def test_what_may_not_come_ends_the_connection(frame: Performative) -> None:
    peer = Peer()
    peer.attach("orders", receiver=True)

    with pytest.raises(CodecError):
        peer.get(frame)


_small = st.integers(0, 3)
_paths = st.sampled_from(["orders", "orders/$DeadLetterQueue", "orders/$management", "$cbs", "nowhere", ""])
_states = st.sampled_from(
    [None, "x", Symbol("x"), *(outcome(code) for code in range(0x23, 0x28)), outcome(REJECTED, 7)]
)
_frames: st.SearchStrategy[Callable[[Peer], object]] = st.one_of(
    st.builds(
        lambda path, role, handle, mode: (
            lambda peer: peer.attach(path, receiver=role, handle=handle, snd_settle_mode=mode)
        ),
        _paths,
        st.booleans(),
        _small,
        _small,
    ),
    st.builds(
        lambda credit, handle, drain: lambda peer: peer.credit(credit, handle=handle, drain=drain),
        _small,
        _small,
        st.booleans(),
    ),
    st.builds(
        lambda handle, number, more, payload: (
            lambda peer: peer.get(Transfer(handle=handle, delivery_id=number, more=more), payload)
        ),
        _small,
        st.one_of(st.none(), _small),
        st.booleans(),
        st.one_of(
            st.just(MESSAGE),
            st.binary(max_size=20),
            st.just(request("peek-message", {})),
            st.just(request("renew-lock", 7)),
        ),
    ),
    st.builds(
        lambda number, settled, state: (
            lambda peer: peer.get(Disposition(role=True, first=(1 << 24) + number, settled=settled, state=state))
        ),
        _small,
        st.booleans(),
        _states,
    ),
    st.builds(lambda handle: lambda peer: peer.get(Detach(handle=handle, closed=True)), _small),
)


@given(st.lists(_frames, max_size=30))
def test_any_frames_in_any_order_are_answered_or_end_the_connection(steps: list[Callable[[Peer], object]]) -> None:
    async def talk() -> None:
        peer = Peer()
        with contextlib.suppress(CodecError):
            for step in steps:
                step(peer)
                await asyncio.sleep(0)
        peer.session.close()
        peer.broker.inbox("orders").send([draft("still served")])
        await asyncio.sleep(0)

    asyncio.run(talk())
