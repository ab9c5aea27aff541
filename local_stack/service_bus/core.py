"""The broker's core: queues, topics and subscriptions. Knows nothing of AMQP."""

from collections.abc import Callable, Iterable
from typing import NoReturn

from local_stack.service_bus.queues import EntityNotFoundError, NotAllowedError, Queue
from local_stack.service_bus.records import Change, Draft, Journal, Message, Put, Seen


class Inbox:
    """What one sends to: a queue, or a topic that passes messages on to all of its subscriptions.

    ``window``: seconds of duplicate detection.
    """

    def __init__(
        self,
        path: str,
        queues: Iterable[Queue],
        journal: Journal,
        clock: Callable[[], float],
        *,
        window: float | None = None,
    ) -> None:
        self.path = path
        self._queues = tuple(queues)
        self._journal = journal
        self._clock = clock
        self._window = window
        self._seen = journal.load(path).seen if window is not None else {}

    def send(self, drafts: Iterable[Draft]) -> None:
        """Accept all of them, or raise and accept none. A duplicate is accepted and dropped."""
        changes: list[Change] = []
        placed: list[tuple[Queue, Message]] = []
        seen: dict[str, float] = {}
        for draft in drafts:
            message_id = draft.message_id
            if self._window is not None and message_id is not None:
                if message_id in seen or self._is_duplicate(message_id):
                    continue
                seen[message_id] = self._clock() + self._window
                changes.append(Seen(self.path, message_id, seen[message_id]))
            placed += [(queue, queue.arrival(draft)) for queue in self._queues]
        changes += [Put(queue.path, message) for queue, message in placed]
        if changes:
            self._journal.write(changes)
        self._seen.update(seen)
        for queue, message in placed:
            queue.add(message)
        if placed:
            for queue in self._queues:
                queue.notify()

    def _is_duplicate(self, message_id: str) -> bool:
        # Oldest first, because all are remembered equally long.
        while self._seen and self._seen[oldest := next(iter(self._seen))] <= self._clock():
            del self._seen[oldest]
        return message_id in self._seen


class Broker:
    """All entities by path; paths have no case."""

    def __init__(self, inboxes: Iterable[Inbox], queues: Iterable[Queue]) -> None:
        self._inboxes = {inbox.path.lower(): inbox for inbox in inboxes}
        self._queues = {queue.path.lower(): queue for queue in queues}

    def inbox(self, path: str) -> Inbox:
        """Where to send to. Raises :class:`EntityNotFoundError` or :class:`NotAllowedError`."""
        found = self._inboxes.get(path.lower())
        if found is None:
            self._refuse(path, "takes no messages from senders", exists=path.lower() in self._queues)
        return found

    def queue(self, path: str) -> Queue:
        """Where to receive from. Raises :class:`EntityNotFoundError` or :class:`NotAllowedError`."""
        found = self._queues.get(path.lower())
        if found is None:
            reason = "is a topic: receive from one of its subscriptions"
            self._refuse(path, reason, exists=path.lower() in self._inboxes)
        return found

    def expire(self) -> None:
        """Do what is due: locks that have run out."""
        for queue in self._queues.values():
            queue.expire()

    @staticmethod
    def _refuse(path: str, reason: str, *, exists: bool) -> NoReturn:
        if exists:
            raise NotAllowedError(f"The messaging entity '{path}' {reason}.")
        raise EntityNotFoundError(f"The messaging entity '{path}' could not be found.")
