"""An AMQP session: its links by handle, its flow-control windows, and settlements."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, Protocol

from local_stack.service_bus.amqp_types import CodecError
from local_stack.service_bus.core import Broker
from local_stack.service_bus.frames import (
    REJECTED,
    SEQUENCE,
    SOURCE,
    TARGET,
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Performative,
    Transfer,
    address_of,
    composite,
    error,
    outcome,
    padded,
)
from local_stack.service_bus.links import MAX_MESSAGE, Answers, Inlet, Link, Outlet
from local_stack.service_bus.messages import drafts_of, parse
from local_stack.service_bus.queues import BrokerError, EntityNotFoundError, NotAllowedError
from local_stack.service_bus.requests import CBS, LOCK_LOST, MANAGEMENT, manage
from local_stack.service_bus.tokens import UnauthorizedError, path_of

_WINDOW: Final = 1 << 20
_OVERHEAD: Final = 128  # a frame's header and its transfer performative, amply
# Our delivery ids start far from the client's: the Python SDK matches dispositions to its own deliveries by number
# only, whichever side they came from, and would take our answer to a settlement for one to a request of the same id.
_FIRST_DELIVERY: Final = 1 << 24
_LONGEST_RANGE: Final = 10_000
_FILTER: Final = 7  # position in a source
_SESSION_FILTER: Final = "com.microsoft:session-filter"


class Peer(Protocol):
    """What a session needs of its connection."""

    broker: Broker
    max_frame: int
    """Of the client."""

    def send(self, channel: int, performative: Performative, payload: bytes = b"") -> None:
        """Send a frame."""
        ...

    def authorize(self, path: str) -> None:
        """Raises :class:`UnauthorizedError` unless a token opens this path."""
        ...

    def take_token(self, request: bytes) -> bytes:
        """Answer a request to ``$cbs``."""
        ...


class Session:
    """One session; ``channel`` is used both ways."""

    def __init__(self, peer: Peer, channel: int, begin: Begin) -> None:
        self._peer = peer
        self._channel = channel
        self._links: dict[int, Link] = {}
        self._refused: set[int] = set()
        self._answers: dict[str, Answers] = {}
        self._unsettled: dict[int, tuple[Outlet, uuid.UUID]] = {}
        self._next_incoming = begin.next_outgoing_id
        self._next_outgoing = _FIRST_DELIVERY
        self.window = begin.incoming_window
        self.send(
            Begin(
                remote_channel=channel,
                next_outgoing_id=self._next_outgoing,
                incoming_window=_WINDOW,
                outgoing_window=_WINDOW,
            )
        )

    def handle(self, performative: Performative, payload: bytes) -> None:
        """One frame from the client. Raises :class:`CodecError` on what may not come here."""
        match performative:
            case Attach():
                self._on_attach(performative)
            case Flow():
                self._on_flow(performative)
            case Transfer(handle=handle):
                self._next_incoming = (self._next_incoming + 1) % SEQUENCE
                if handle not in self._refused:  # what was on its way already needs no answer
                    self._link(handle).on_transfer(performative, payload)
            case Disposition(role=True):
                self._on_disposition(performative)
            case Disposition():
                pass  # answers are sent settled, so there is nothing to learn
            case Detach(handle=handle):
                self._on_detach(handle)
            case _:
                raise CodecError(f"{type(performative).__name__} may not come within a session")

    def close(self) -> None:
        """The session or its connection is gone."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    def send(self, performative: Performative, payload: bytes = b"") -> None:
        """Send a frame on this session's channel."""
        self._peer.send(self._channel, performative, payload)

    def flow(self, **link: Any) -> None:
        """Send the session's flow state, and a link's with it."""
        self.send(
            Flow(
                next_incoming_id=self._next_incoming,
                incoming_window=_WINDOW,
                next_outgoing_id=self._next_outgoing,
                outgoing_window=_WINDOW,
                **link,
            )
        )

    def deliver(self, transfer: Transfer, payload: bytes) -> int:
        """Send a message in as many frames as it takes; gives its delivery id."""
        delivery_id = self._next_outgoing
        room = self._peer.max_frame - _OVERHEAD
        parts = [payload[start : start + room] for start in range(0, len(payload), room)]
        for number, part in enumerate(parts, start=1):
            more = number < len(parts)
            first = replace(transfer, delivery_id=delivery_id, more=more)
            later = Transfer(handle=transfer.handle, more=more)
            self.send(first if number == 1 else later, part)
        self._next_outgoing = (self._next_outgoing + len(parts)) % SEQUENCE
        self.window -= len(parts)
        return delivery_id

    def expect_settlement(self, delivery_id: int, link: Outlet, token: uuid.UUID) -> None:
        """Tell the link when the client settles this delivery."""
        self._unsettled[delivery_id] = (link, token)

    def _link(self, handle: int) -> Link:
        if handle not in self._links:
            raise CodecError("no link has this handle")
        return self._links[handle]

    def _on_attach(self, attach: Attach) -> None:
        if attach.handle in self._links:
            raise CodecError("a link with this handle is attached already")
        terminus, code = (attach.source, SOURCE) if attach.role else (attach.target, TARGET)
        path = path_of(address_of(terminus, code))
        self._refused.discard(attach.handle)
        try:
            link = self._answering(attach, path) if _is_node(path) else self._transporting(attach, path)
        except (BrokerError, UnauthorizedError) as refusal:
            self._refuse(attach, refusal)
            return
        self._links[attach.handle] = link
        self._echo(attach, padded(attach.source, SOURCE), padded(attach.target, TARGET))
        if isinstance(link, Inlet):
            link.grant()

    def _transporting(self, attach: Attach, path: str) -> Link:
        self._peer.authorize(path)
        if attach.role:
            _check_filter(attach)
            return Outlet(self, attach, self._peer.broker.queue(path))
        inbox = self._peer.broker.inbox(path)
        return Inlet(self, attach, lambda payload, message_format: inbox.send(drafts_of(payload, message_format)))

    def _answering(self, attach: Attach, path: str) -> Link:
        node = path.lower()
        entity = path.rpartition("/")[0]
        if entity:
            self._peer.authorize(path)
        if attach.role:
            self._answers[node] = Answers(self, attach)
            return self._answers[node]
        if not entity:
            return Inlet(self, attach, lambda payload, _: self._answer(node, self._peer.take_token(payload)))
        queue = self._peer.broker.queue(entity)
        return Inlet(self, attach, lambda payload, _: self._answer(node, manage(parse(payload), queue)))

    def _answer(self, node: str, payload: bytes) -> None:
        if node in self._answers:
            self._answers[node].put(payload)

    def _refuse(self, attach: Attach, refusal: Exception) -> None:
        condition = "amqp:not-found" if isinstance(refusal, EntityNotFoundError) else "amqp:not-allowed"
        if isinstance(refusal, UnauthorizedError):
            condition = "amqp:unauthorized-access"
        self._refused.add(attach.handle)
        self._echo(attach, None, None)
        self.send(Detach(handle=attach.handle, closed=True, error=error(condition, str(refusal))))

    def _echo(self, attach: Attach, source: object, target: object) -> None:
        self.send(
            Attach(
                name=attach.name,
                handle=attach.handle,
                role=not attach.role,
                snd_settle_mode=attach.snd_settle_mode,
                rcv_settle_mode=attach.rcv_settle_mode,
                source=source,
                target=target,
                initial_delivery_count=0 if attach.role else None,
                max_message_size=MAX_MESSAGE,
            )
        )

    def _on_flow(self, flow: Flow) -> None:
        # Before our first frame has reached it a client knows no id to expect.
        expected = _FIRST_DELIVERY if flow.next_incoming_id is None else flow.next_incoming_id
        on_its_way = (self._next_outgoing - expected) % SEQUENCE
        self.window = flow.incoming_window - on_its_way
        if flow.handle is None:
            for link in tuple(self._links.values()):
                if isinstance(link, Outlet):
                    link.pump()
        elif flow.handle not in self._refused:
            self._link(flow.handle).on_flow(flow)

    def _on_disposition(self, disposition: Disposition) -> None:
        for delivery_id in _ids(disposition):
            link, token = self._unsettled.pop(delivery_id, (None, None))
            if link is not None and token is not None:
                state = link.settle(token, disposition.state)
            else:
                state = outcome(REJECTED, error(LOCK_LOST, "The delivery is not known on this link."))
            if not disposition.settled:
                self.send(Disposition(role=False, first=delivery_id, last=delivery_id, settled=True, state=state))

    def _on_detach(self, handle: int) -> None:
        if handle in self._refused:
            self._refused.discard(handle)
            return
        link = self._link(handle)
        del self._links[handle]
        link.close()
        self._unsettled = {key: held for key, held in self._unsettled.items() if held[0] is not link}
        self._answers = {node: answers for node, answers in self._answers.items() if answers is not link}
        self.send(Detach(handle=handle, closed=True))


def _is_node(path: str) -> bool:
    return path.lower() == CBS or path.lower().endswith(f"/{MANAGEMENT}")


def _check_filter(attach: Attach) -> None:
    filters = (composite(attach.source, SOURCE) or [])[_FILTER:][:1]
    if any(isinstance(given, dict) and _SESSION_FILTER in given for given in filters):
        raise NotAllowedError("Sessions are not served here.")


def _ids(disposition: Disposition) -> Iterator[int]:
    last = disposition.first if disposition.last is None else disposition.last
    count = (last - disposition.first) % SEQUENCE + 1
    if count > _LONGEST_RANGE:
        raise CodecError("a disposition covers more deliveries than there can be")
    return ((disposition.first + step) % SEQUENCE for step in range(count))
