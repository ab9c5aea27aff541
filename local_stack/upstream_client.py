"""An upstream system: asks for trainings by message, with the vendor's Service Bus client, and reads the answers."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage

from local_stack.app_client import Endpoints, deadline

REQUESTS: Final = "training-requests"
RESULTS: Final = "training-results"
SUBSCRIPTION: Final = "upstream"
QUARANTINE: Final = "training-requests-quarantine"
_PEEKED: Final = 250


class UpstreamClient:
    """Keeps its connections, which take half a second each to open. Not for several threads."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._client = ServiceBusClient.from_connection_string(endpoints["service_bus"]["connection_string"])
        self._sender = self._client.get_queue_sender(REQUESTS)
        self._results = self._client.get_subscription_receiver(RESULTS, SUBSCRIPTION)
        self._quarantine = self._client.get_queue_receiver(QUARANTINE)
        self._answers: list[dict[str, Any]] = []

    def close(self) -> None:
        """Give the connections back."""
        for part in (self._sender, self._results, self._quarantine, self._client):
            part.close()

    def ask(self, body: dict[str, Any] | bytes, *, message_id: str | None = None, **properties: Any) -> str:
        """Send a training request; its message id, which answers carry as correlation id unless another is given.

        ``body`` as an object is sent as JSON. ``properties`` are those of the message, such as ``correlation_id``.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        chosen = message_id or str(uuid.uuid4())
        message = ServiceBusMessage(content, message_id=chosen, content_type="application/json", **properties)
        self._sender.send_messages(message)
        return chosen

    def answers(self, correlation_id: str) -> list[dict[str, Any]]:
        """The answers to a request that have come so far, in the order in which they came."""
        return [answer for answer in self._answers if answer["correlation_id"] == correlation_id]

    def wait_for_answer(self, correlation_id: str, *kinds: str, seconds: float = 300) -> dict[str, Any]:
        """The first answer to a request, of one of the kinds if some are named; raises ``TimeoutError``.

        An answer is the body's object, and the message's ``message_id``, ``correlation_id``, ``subject``, ``to`` and
        ``properties``.
        """

        def found() -> dict[str, Any] | None:
            fitting = (each for each in self.answers(correlation_id) if not kinds or each["kind"] in kinds)
            return next(fitting, None)

        return self._wait(found, self._take_answers, f"an answer to {correlation_id}", seconds)

    def wait_for_quarantined(self, message_id: str, *, seconds: float = 300) -> dict[str, Any]:
        """The copy of a request that was put aside, which stays there; raises ``TimeoutError``."""

        def found() -> dict[str, Any] | None:
            fitting = (each for each in self.quarantined() if each["message_id"] == message_id)
            return next(fitting, None)

        return self._wait(found, lambda: time.sleep(0.2), f"a copy of {message_id} in {QUARANTINE}", seconds)

    def quarantined(self) -> list[dict[str, Any]]:
        """All requests that were put aside; they stay there."""
        found: list[dict[str, Any]] = []
        first = 1
        while messages := self._quarantine.peek_messages(_PEEKED, sequence_number=first):
            found += [{"body": _content(message), **_envelope(message)} for message in messages]
            first = max(message.sequence_number or 0 for message in messages) + 1
        return found

    def _take_answers(self) -> None:
        for message in self._results.receive_messages(max_message_count=100, max_wait_time=1):
            self._answers.append({**json.loads(_content(message)), **_envelope(message)})
            self._results.complete_message(message)

    @staticmethod
    def _wait(
        found: Callable[[], dict[str, Any] | None], receive: Callable[[], None], what: str, seconds: float
    ) -> dict[str, Any]:
        for _ in deadline(seconds, what, pause=0):
            if (answer := found()) is not None:
                return answer
            receive()
        raise AssertionError  # deadline() raises first


def _content(message: ServiceBusReceivedMessage) -> bytes:
    return b"".join(message.body)


def _envelope(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "correlation_id": message.correlation_id,
        "subject": message.subject,
        "to": message.to,
        "properties": {_text(name): _text(value) for name, value in (message.application_properties or {}).items()},
    }


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def upstream_client(endpoints: Endpoints) -> Iterator[UpstreamClient]:
    """An :class:`UpstreamClient` that is closed at the end."""
    client = UpstreamClient(endpoints)
    try:
        yield client
    finally:
        client.close()
