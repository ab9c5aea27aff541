"""The broker's records: sent and stored messages, and the changes in the journal."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as it was sent. ``content`` is the sender's and never looked into."""

    content: bytes
    message_id: str | None = None
    """What duplicate detection looks at."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a message is in a dead-letter queue, and the entity it comes from."""

    reason: str
    description: str
    source: str


@dataclass(frozen=True, slots=True)
class Lock:
    """A receiver's right to settle a message, until a moment in seconds since the epoch."""

    token: uuid.UUID
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A stored message; a change makes a new one. Times are seconds since the epoch."""

    sequence: int
    content: bytes
    enqueued_at: float
    source_sequence: int
    delivery_count: int = 0
    """Deliveries that failed."""
    dead_letter: DeadLetter | None = None
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """Store this message, new or changed, under its path and sequence number."""

    path: str
    message: Message


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget this message."""

    path: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Remember until a moment that this message id was sent to the entity."""

    path: str
    message_id: str
    until: float


Change = Put | Remove | Seen


@dataclass(slots=True)
class Stored:
    """What the journal knows of one entity. A message that was locked when it was last written has a lock."""

    messages: list[Message] = field(default_factory=list)
    last_sequence: int = 0
    seen: dict[str, float] = field(default_factory=dict)


class Journal(Protocol):
    """Where changes survive."""

    def write(self, changes: Iterable[Change]) -> None:
        """Keep all of them or, raising, none."""
        ...

    def load(self, path: str) -> Stored:
        """All that was kept for an entity."""
        ...
