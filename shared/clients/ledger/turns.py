"""Mutual exclusion across all processes of the app.

Table ``claims``, partition ``turn``, row = digest of the subject: ``holder``, a unique text, and ``until``, when the
turn expires if its holder has died. A turn is given back by emptying both.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from shared.clients.ledger.keys import digest, stamp
from shared.clients.ledger.tables import Row, Table
from shared.errors import TransientError

_PARTITION = "turn"


class TurnLedger:
    """Turns, one per subject; thread-safe and shared between processes."""

    def __init__(self, claims: Table, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._claims = claims
        self._now = clock

    @contextmanager
    def alone(self, what: str, *, seconds: float) -> Iterator[None]:
        """Hold the turn for a ``with`` block; raises :class:`TransientError` at once when it is taken.

        ``seconds`` must be longer than the block can take: afterwards the turn expires and another caller may get it.
        """
        key, holder = digest(what), secrets.token_hex(16)
        self._take(what, key, holder, seconds)
        try:
            yield
        finally:
            with suppress(TransientError):  # it expires
                self._give_back(key, holder)

    def _take(self, what: str, key: str, holder: str, seconds: float) -> None:
        row, now = self._claims.get(_PARTITION, key), self._now()
        if row is not None and row.values.get("until", "") > stamp(now):
            raise _taken(what)
        values = {"holder": holder, "until": stamp(now + timedelta(seconds=seconds))}
        if row is None:
            taken = self._claims.insert(Row(_PARTITION, key, values))
        else:
            taken = self._claims.update(Row(_PARTITION, key, values, row.etag))
        # A retried call may conflict with its own first try.
        if not taken and self._holder(key) != holder:
            raise _taken(what)

    def _give_back(self, key: str, holder: str) -> None:
        row = self._claims.get(_PARTITION, key)
        if row is not None and row.values.get("holder") == holder:
            self._claims.update(Row(_PARTITION, key, {"holder": "", "until": ""}, row.etag))

    def _holder(self, key: str) -> str:
        row = self._claims.get(_PARTITION, key)
        return str(row.values.get("holder", "")) if row else ""


def _taken(what: str) -> TransientError:
    return TransientError(f"another process is about to {what}; this one waits for its turn")
