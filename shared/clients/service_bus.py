"""Service Bus: answers to upstream systems, and the quarantine queue for rejected messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from shared.clients.service_bus_sender import BusSender
from shared.telemetry import trace_headers
from shared.values.texts import shortened
from shared.values.wire import to_text
from shared.wire_contracts.training_answers import TrainingAnswer, message_id, outcome_of

if TYPE_CHECKING:
    from shared.clients.service_bus_access import BusAccess
    from shared.messages import ReplyTo, RunRecord

RESULTS: Final = "training-results"
QUARANTINE: Final = "training-requests-quarantine"

_LONGEST_REASON: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedMessage:
    """A message that is not understood: its body byte for byte, the reason, and its sender's ids."""

    body: bytes
    reason: str
    reply: ReplyTo


class TrainingResults:
    """Sends to the topic of answers and to the quarantine queue; safe to share between threads.

    Raises :class:`TransientError` when the namespace does not answer, :class:`PermanentError` when it refuses.
    """

    def __init__(self, access: BusAccess) -> None:
        self._results = BusSender(RESULTS, access, ServiceBusClient.get_topic_sender)
        self._quarantine = BusSender(QUARANTINE, access, ServiceBusClient.get_queue_sender)

    def send(self, answer: TrainingAnswer) -> None:
        """Send an answer; a repeat is dropped by the topic's duplicate detection."""
        self._results.send(
            ServiceBusMessage(
                to_text(answer).encode("utf-8"),
                message_id=message_id(answer),
                correlation_id=answer.correlation_id,
                content_type="application/json",
                subject=answer.kind.value,
                to=answer.reply_to or None,
                application_properties={
                    "kind": answer.kind.value,
                    "pipeline": answer.pipeline,
                    "reply_to": answer.reply_to,
                    **_trace(),
                },
            )
        )

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        """Send the outcome of a run that has ended."""
        self.send(outcome_of(reply, record))

    def quarantine(self, message: RejectedMessage) -> None:
        """Copy a message to the quarantine queue; a repeat is dropped by its duplicate detection."""
        reply = message.reply
        correlation_id = reply.correlation_id or reply.message_id
        self._quarantine.send(
            ServiceBusMessage(
                message.body,
                message_id=reply.message_id,
                correlation_id=correlation_id,
                reply_to=reply.reply_to or None,
                application_properties={
                    "reason": shortened(message.reason, _LONGEST_REASON),
                    "original_message_id": reply.message_id,
                    "correlation_id": correlation_id,
                },
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._results.close()
        self._quarantine.close()


def _trace() -> dict[str | bytes, str]:
    """The property that says which trace a message belongs to."""
    return dict(trace_headers().items())
