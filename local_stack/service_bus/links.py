"""AMQP links: for sending, for receiving, and for replies to requests."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from local_stack.service_bus.amqp_types import CodecError, Described
from local_stack.service_bus.frames import (
    ACCEPTED,
    MODIFIED,
    REJECTED,
    RELEASED,
    Attach,
    Disposition,
    Flow,
    Performative,
    Transfer,
    composite,
    error,
    outcome,
)
from local_stack.service_bus.messages import on_delivery, tag_of
from local_stack.service_bus.queues import BrokerError, LockLostError, NotAllowedError, Queue
from local_stack.service_bus.records import Message
from local_stack.service_bus.requests import LOCK_LOST

MAX_MESSAGE: Final = 1 << 20
_CREDIT: Final = 500  # deliveries a client may send ahead


class Carrier(Protocol):
    """What links need of their session."""

    @property
    def window(self) -> int:
        """Frames the client still takes."""
        ...

    def send(self, performative: Performative, payload: bytes = b"") -> None:
        """Send a frame."""
        ...

    def flow(self, **link: Any) -> None:
        """Send the session's flow state, and a link's with it."""
        ...

    def deliver(self, transfer: Transfer, payload: bytes) -> int:
        """Send a message in as many frames as it takes; gives its delivery id."""
        ...

    def expect_settlement(self, delivery_id: int, link: "Outlet", token: uuid.UUID) -> None:
        """Tell the link when the client settles this delivery."""
        ...


class Link:
    """One end of a link; ``attach`` is the client's."""

    def __init__(self, carrier: Carrier, attach: Attach) -> None:
        self.attach = attach
        self._carrier = carrier

    def on_flow(self, flow: Flow) -> None:
        """The client told its view of the link."""

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """A frame of a message came. Raises :class:`CodecError` where none may come."""
        raise CodecError(f"{len(payload)} bytes came over link {transfer.handle}, on which the client receives")

    def close(self) -> None:
        """The link or its connection is gone."""


class Inlet(Link):
    """A client sends to us. ``accept`` takes whole messages with their format and gives nothing or raises."""

    def __init__(self, carrier: Carrier, attach: Attach, accept: Callable[[bytes, int], None]) -> None:
        super().__init__(carrier, attach)
        self._accept = accept
        self._first: Transfer | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._received = attach.initial_delivery_count or 0
        self._credit = 0

    def grant(self) -> None:
        """Let the client send."""
        self._credit = _CREDIT
        handle = self.attach.handle
        self._carrier.flow(handle=handle, delivery_count=self._received, link_credit=self._credit)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Put a message together; when it is whole, accept it and answer."""
        first = self._first = self._first or transfer
        if first.delivery_id is None:
            raise CodecError("the first transfer of a message has no delivery id")
        self._size += len(payload)
        # What is too large is not kept, but heard out: the client takes the refusal for an answer to the whole.
        if self._size <= MAX_MESSAGE:
            self._parts.append(payload)
        else:
            self._parts.clear()
        if transfer.more and not transfer.aborted:
            return
        if not transfer.aborted:
            state = self._outcome(b"".join(self._parts), first.message_format or 0)
            if not first.settled:
                self._carrier.send(Disposition(role=True, first=first.delivery_id, settled=True, state=state))
        self._first, self._parts, self._size = None, [], 0
        self._received += 1
        self._credit -= 1
        if self._credit <= _CREDIT // 2:
            self.grant()

    def _outcome(self, message: bytes, message_format: int) -> Described:
        if self._size > MAX_MESSAGE:
            text = f"The message has {self._size} bytes, which is more than {MAX_MESSAGE}."
            return outcome(REJECTED, error("amqp:link:message-size-exceeded", text))
        try:
            self._accept(message, message_format)
        except CodecError as refusal:
            return outcome(REJECTED, error("com.microsoft:argument-error", str(refusal)))
        except BrokerError as refusal:
            return outcome(REJECTED, error("amqp:not-allowed", str(refusal)))
        return outcome(ACCEPTED)


class _Source(Link):
    """A client receives from us, as far as it gives credit."""

    def __init__(self, carrier: Carrier, attach: Attach) -> None:
        super().__init__(carrier, attach)
        self._sent = 0
        self._credit = 0

    def on_flow(self, flow: Flow) -> None:
        """Take the credit, use it, and give back what the client wants drained."""
        self._credit = max(0, (flow.delivery_count or 0) + (flow.link_credit or 0) - self._sent)
        self.pump()
        if flow.drain:
            self._sent += self._credit
            self._credit = 0
        if flow.drain or flow.echo:
            handle = self.attach.handle
            self._carrier.flow(
                handle=handle, delivery_count=self._sent, link_credit=self._credit, available=0, drain=flow.drain
            )

    def pump(self) -> None:
        """Send what there is to send."""
        raise NotImplementedError

    def _deliver(self, payload: bytes, tag: bytes, *, settled: bool) -> int:
        self._sent += 1
        self._credit -= 1
        transfer = Transfer(handle=self.attach.handle, delivery_tag=tag, message_format=0, settled=settled)
        return self._carrier.deliver(transfer, payload)


class Answers(_Source):
    """Answers to requests; they wait for credit."""

    def __init__(self, carrier: Carrier, attach: Attach) -> None:
        super().__init__(carrier, attach)
        self._waiting: deque[bytes] = deque()

    def put(self, payload: bytes) -> None:
        """Send an answer, now or when the client lets us."""
        self._waiting.append(payload)
        self.pump()

    def pump(self) -> None:
        """Send the answers that wait."""
        while self._credit > 0 and self._waiting:
            self._deliver(self._waiting.popleft(), self._sent.to_bytes(4, "big"), settled=True)


class Outlet(_Source):
    """Messages of a queue, locked for this client until it settles them, or removed at once."""

    def __init__(self, carrier: Carrier, attach: Attach, queue: Queue) -> None:
        super().__init__(carrier, attach)
        self._queue = queue
        self._keeps_locks = attach.snd_settle_mode != 1
        self._scheduled: asyncio.Handle | None = None
        self._unwatch = queue.watch(self._wake)

    def close(self) -> None:
        """Take no more messages. Those locked stay so until their time is over, as with the service."""
        self._unwatch()
        if self._scheduled is not None:
            self._scheduled.cancel()

    def pump(self) -> None:
        """Send messages while there are messages, credit and room."""
        self._scheduled = None
        if (limit := min(self._credit, self._carrier.window)) > 0:
            for token, message in self._queue.lock(limit):
                self._send(token, message)

    def settle(self, token: uuid.UUID, state: object) -> Described:
        """Do what the client decided; gives the outcome to answer with."""
        try:
            return self._apply(token, state)
        except LockLostError as refusal:
            return outcome(REJECTED, error(LOCK_LOST, str(refusal)))
        except NotAllowedError as refusal:
            return outcome(REJECTED, error("amqp:not-allowed", str(refusal)))

    def _wake(self) -> None:
        # Not at once: whoever sends or settles must not be held up by, or get the errors of, whoever receives.
        if self._credit > 0 and self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self.pump)

    def _send(self, token: uuid.UUID, message: Message) -> None:
        if not self._keeps_locks:
            self._queue.complete(token)
        delivery_id = self._deliver(on_delivery(message), tag_of(token), settled=not self._keeps_locks)
        if self._keeps_locks:
            self._carrier.expect_settlement(delivery_id, self, token)

    def _apply(self, token: uuid.UUID, state: object) -> Described:
        if composite(state, ACCEPTED) is not None:
            self._queue.complete(token)
            return outcome(ACCEPTED)
        if composite(state, RELEASED) is not None:
            self._queue.release(token)
            return outcome(RELEASED)
        if (modified := composite(state, MODIFIED)) is not None:
            if modified[1:2] == [True]:
                raise NotAllowedError("Messages cannot be deferred here.")
            self._queue.abandon(token)
            return outcome(MODIFIED, *modified)
        if (rejected := composite(state, REJECTED)) is not None:
            self._queue.dead_letter(token, *_reason(rejected))
            return outcome(REJECTED, None)
        raise CodecError("a disposition has no known outcome")


def _reason(rejected: list[object]) -> tuple[str, str]:
    described = rejected[0] if rejected else None
    parts = described.value if isinstance(described, Described) and isinstance(described.value, list) else []
    info = parts[2] if len(parts) > 2 and isinstance(parts[2], dict) else {}
    reason, text = (info.get(f"DeadLetter{name}") for name in ("Reason", "ErrorDescription"))
    return str(reason or ""), str(text or "")
