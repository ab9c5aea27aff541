"""Long-lived senders and receivers of the vendor's SDK."""

from contextlib import ExitStack
from typing import Self

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)

WAIT = 60.0  # seconds for a message to come, longer than a lock; busy machines are slow


class Clients:
    """One sender and one receiver an entity, opened on first use."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client
        self._stack = ExitStack()
        self._senders: dict[str, ServiceBusSender] = {}
        self._receivers: dict[str, ServiceBusReceiver] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, entity: str, *messages: ServiceBusMessage | str) -> None:
        """Send one message as a message, several as a list."""
        made = [ServiceBusMessage(item) if isinstance(item, str) else item for item in messages]
        if entity not in self._senders:
            sender = (
                self._client.get_topic_sender(entity) if entity == "results" else self._client.get_queue_sender(entity)
            )
            self._senders[entity] = self._stack.enter_context(sender)
        self._senders[entity].send_messages(made[0] if len(made) == 1 else made)

    def receiver(self, entity: str, subscription: str = "", *, dead: bool = False) -> ServiceBusReceiver:
        """A peek-lock receiver."""
        name = f"{entity}/{subscription}/{dead}"
        if name not in self._receivers:
            sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead else None
            made = (
                self._client.get_subscription_receiver(entity, subscription, sub_queue=sub_queue)
                if subscription
                else self._client.get_queue_receiver(entity, sub_queue=sub_queue)
            )
            self._receivers[name] = self._stack.enter_context(made)
        return self._receivers[name]


def receive(receiver: ServiceBusReceiver, count: int, *, wait: float = WAIT) -> list[ServiceBusReceivedMessage]:
    """Receive until there are ``count`` messages; fails when none comes for ``wait`` seconds."""
    received: list[ServiceBusReceivedMessage] = []
    while len(received) < count:
        more = receiver.receive_messages(count - len(received), max_wait_time=wait)
        assert more, f"{len(received)} of {count} messages came"
        received += more
    return received


def nothing_in(receiver: ServiceBusReceiver) -> bool:
    """Whether no message waits; looks for a moment only."""
    return not receiver.receive_messages(1, max_wait_time=0.3)
