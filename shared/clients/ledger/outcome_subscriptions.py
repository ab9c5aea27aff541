"""Outcome subscriptions: table ``requests``, partition ``follower``, row = run id and digest of the message's id.

A row lasts from the first answer until the outcome was sent.
"""

from collections.abc import Iterable

from shared.clients.ledger.keys import digest, end_of
from shared.clients.ledger.tables import Row, Table
from shared.messages import ReplyTo
from shared.values.wire import from_text, to_text

_SUBSCRIPTIONS = "follower"


class OutcomeSubscriptionLedger:
    """Stores outcome subscriptions."""

    def __init__(self, requests: Table) -> None:
        self._requests = requests

    def subscribe(self, run_id: str, reply: ReplyTo) -> None:
        """Subscribe a message to the run's outcome. Safe to repeat."""
        self._requests.put(Row(_SUBSCRIPTIONS, _key(run_id, reply), {"run_id": run_id, "reply": to_text(reply)}))

    def subscribers(self, run_id: str) -> list[ReplyTo]:
        """The messages that wait for the run's outcome."""
        start = f"{run_id}-"
        rows = self._requests.rows(_SUBSCRIPTIONS, start, end_of(start))
        return [reply for found, reply in _read(rows) if found == run_id]

    def answered(self, run_id: str, reply: ReplyTo) -> None:
        """Remove the subscription: the outcome was sent. Safe to repeat."""
        self._requests.delete(Row(_SUBSCRIPTIONS, _key(run_id, reply), {}))

    def unanswered(self) -> list[tuple[str, ReplyTo]]:
        """All subscriptions, each with its run; also of runs that are under way."""
        return _read(self._requests.rows(_SUBSCRIPTIONS))


def _key(run_id: str, reply: ReplyTo) -> str:
    return f"{run_id}-{digest(reply.message_id)}"


def _read(rows: Iterable[Row]) -> list[tuple[str, ReplyTo]]:
    return [(row.values["run_id"], from_text(ReplyTo, row.values["reply"])) for row in rows]
