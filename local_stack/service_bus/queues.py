"""A queue: what is stored, who holds what, and what becomes of it. Knows nothing of AMQP.

Each operation is written to the journal first, in one transaction, and only then done in memory: a process that ends
at any point has either accepted a message or not, settled it or not. Locks are not kept, but that a message was locked
is, because a delivery that was cut short counts, as an expired lock does.
"""

import heapq
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from local_stack.service_bus.records import (
    DeadLetter,
    Draft,
    Journal,
    Lock,
    Message,
    Put,
    Remove,
)

DEAD_LETTER: Final = "$DeadLetterQueue"
TOO_MANY_DELIVERIES: Final = "MaxDeliveryCountExceeded"


class BrokerError(Exception):
    """What the broker refuses."""


class EntityNotFoundError(BrokerError):
    """No queue, topic or subscription has this name."""


class NotAllowedError(BrokerError):
    """The entity does not take part in this: one cannot receive from a topic, nor send to a subscription."""


class LockLostError(BrokerError):
    """The lock has expired, or the message was settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a queue or subscription treats its messages; durations in seconds."""

    lock_duration: float = 60.0
    max_delivery_count: int = 10


class Queue:
    """Messages in order, each either waiting or locked by one receiver. Also a subscription, or a dead-letter queue."""

    def __init__(
        self, path: str, policy: Policy, journal: Journal, clock: Callable[[], float], dead: "Queue | None" = None
    ) -> None:
        self.path = path
        self.dead_letters = dead
        self._policy = policy
        self._journal = journal
        self._clock = clock
        self._watchers: deque[Callable[[], None]] = deque()
        self._messages: dict[int, Message] = {}
        self._locked: dict[uuid.UUID, int] = {}
        self._waiting: list[int] = []
        # (moment, sequence): when to look at a message again. Entries that no longer hold are dropped when due.
        self._deadlines: list[tuple[float, int]] = []
        self._load()

    def __len__(self) -> int:
        return len(self._messages)

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call ``watcher`` whenever messages wait; gives the function that ends this."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def take_sequence(self) -> int:
        """A sequence number that no message here has had."""
        self._sequence += 1
        return self._sequence

    def arrival(self, draft: Draft) -> Message:
        """The message this draft becomes here, not yet stored."""
        sequence = self.take_sequence()
        return Message(sequence=sequence, source_sequence=sequence, content=draft.content, enqueued_at=self._clock())

    def add(self, message: Message) -> None:
        """Take in a message that the journal has."""
        self._messages[message.sequence] = message
        heapq.heappush(self._waiting, message.sequence)

    def notify(self) -> None:
        """Tell the watchers that messages wait, each time beginning with another one."""
        self._watchers.rotate(-1)
        for watcher in tuple(self._watchers):
            watcher()

    def lock(self, limit: int) -> list[tuple[uuid.UUID, Message]]:
        """Lock up to ``limit`` waiting messages, the oldest first; gives them with the tokens to settle them by."""
        self.expire()
        until = self._clock() + self._policy.lock_duration
        picked = self._pick(limit)
        if not picked:
            return []
        locks = [Lock(uuid.uuid4(), until) for _ in picked]
        locked = [replace(message, lock=lock) for message, lock in zip(picked, locks, strict=True)]
        try:
            self._journal.write([Put(self.path, message) for message in locked])
        except BaseException:
            for message in picked:
                heapq.heappush(self._waiting, message.sequence)
            raise
        for message, lock in zip(locked, locks, strict=True):
            self._hold(message, lock)
        return [(lock.token, message) for message, lock in zip(locked, locks, strict=True)]

    def complete(self, token: uuid.UUID) -> None:
        """Remove a locked message. Raises :class:`LockLostError`, as all that follow do."""
        message = self._held(token)
        self._journal.write([Remove(self.path, message.sequence)])
        self._drop(message)

    def release(self, token: uuid.UUID) -> None:
        """Give a message back as if it had not been delivered."""
        self._put_back(replace(self._held(token), lock=None))

    def abandon(self, token: uuid.UUID) -> None:
        """Give a message back; the delivery has failed."""
        self._fail(self._held(token))

    def dead_letter(self, token: uuid.UUID, reason: str, description: str) -> None:
        """Move a message to the dead-letter queue. Raises :class:`NotAllowedError` in a dead-letter queue."""
        message = self._held(token)
        if self.dead_letters is None:
            raise NotAllowedError(f"messages of '{self.path}' cannot be dead-lettered again")
        self._bury(message, self.dead_letters, reason, description)

    def renew(self, token: uuid.UUID) -> float:
        """Lock a message for another full duration; gives the new end."""
        message = self._held(token)
        until = self._clock() + self._policy.lock_duration
        lock = Lock(token, until)
        self._hold(replace(message, lock=lock), lock)
        return until

    def peek(self, first: int, limit: int) -> list[Message]:
        """Up to ``limit`` messages from this sequence number on, locked ones included."""
        self.expire()
        return [self._messages[sequence] for sequence in sorted(self._messages) if sequence >= first][:limit]

    def expire(self) -> None:
        """Free messages whose lock has run out."""
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline = heapq.heappop(self._deadlines)
            message = self._messages.get(deadline[1])
            try:
                if message is not None and message.lock is not None and message.lock.until <= now:
                    self._fail(message)
            except BaseException:
                heapq.heappush(self._deadlines, deadline)
                raise

    def _load(self) -> None:
        stored = self._journal.load(self.path)
        self._sequence = stored.last_sequence
        for message in stored.messages:
            if message.lock is None:
                self.add(message)
            else:
                self._hold(message, message.lock)
                self._fail(message)

    def _pick(self, limit: int) -> list[Message]:
        picked: list[Message] = []
        while self._waiting and len(picked) < limit:
            picked.append(self._messages[heapq.heappop(self._waiting)])
        return picked

    def _held(self, token: uuid.UUID) -> Message:
        self.expire()
        sequence = self._locked.get(token)
        if sequence is None:
            raise LockLostError("The lock supplied is invalid: it has expired, or the message is settled.")
        return self._messages[sequence]

    def _hold(self, message: Message, lock: Lock) -> None:
        self._messages[message.sequence] = message
        self._locked[lock.token] = message.sequence
        heapq.heappush(self._deadlines, (lock.until, message.sequence))

    def _drop(self, message: Message) -> None:
        stored = self._messages.pop(message.sequence)
        if stored.lock is not None:
            del self._locked[stored.lock.token]

    def _fail(self, message: Message) -> None:
        failed = replace(message, lock=None, delivery_count=message.delivery_count + 1)
        if self.dead_letters is not None and failed.delivery_count >= self._policy.max_delivery_count:
            text = f"The message could not be consumed after {failed.delivery_count} delivery attempts."
            self._bury(failed, self.dead_letters, TOO_MANY_DELIVERIES, text)
        else:
            self._put_back(failed)

    def _put_back(self, message: Message) -> None:
        self._journal.write([Put(self.path, message)])
        self._drop(message)
        self.add(message)
        self.notify()

    def _bury(self, message: Message, dead: "Queue", reason: str, description: str) -> None:
        buried = replace(
            message,
            sequence=dead.take_sequence(),
            lock=None,
            dead_letter=DeadLetter(reason, description, self.path),
        )
        self._journal.write([Remove(self.path, message.sequence), Put(dead.path, buried)])
        self._drop(message)
        dead.add(buried)
        dead.notify()
