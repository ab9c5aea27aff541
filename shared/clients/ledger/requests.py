"""Requests from outside, each claimed once: table ``requests``, partition = where from, row = digest of its key."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from shared.clients.ledger.keys import digest, stamp
from shared.clients.ledger.tables import Row, Table
from shared.errors import TransientError


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClaim:
    """Who owns a request, and what it asked for. ``new``: this caller claimed it, and must start the instance.

    ``started``: the instance was started, however long ago; then it must not be started again.
    """

    instance_id: str
    body_digest: str
    claimed_at: datetime
    new: bool
    started: bool


class RequestLedger:
    """Stores the claims. A request that is repeated is the same request, for as long as claims are kept."""

    def __init__(self, requests: Table) -> None:
        self._requests = requests

    def claim(self, source: str, key: str, *, body_digest: str, instance_id: str, at: datetime) -> RequestClaim:
        """Claim a request, or return the existing claim. ``source`` is a word of ours, ``key`` a digest."""
        claimant = secrets.token_hex(8)
        values = {
            "instance_id": instance_id,
            "body_digest": body_digest,
            "claimed_at": stamp(at),
            "claimant": claimant,  # an insert whose answer was lost is tried again, and finds itself
            "started": False,
        }
        row = Row(source, key, values)
        if not self._requests.insert(row):
            found = self._requests.get(source, key)
            if found is None:
                raise TransientError(f"the claim of a {source} request was removed at this moment")
            row = found
        return RequestClaim(
            instance_id=row.values["instance_id"],
            body_digest=row.values["body_digest"],
            claimed_at=datetime.fromisoformat(row.values["claimed_at"]),
            new=row.values["claimant"] == claimant,
            started=row.values["started"],
        )

    def claim_once(self, source: str, number: str, *, at: datetime) -> bool:
        """Claim something that counts once, such as a ticket of the page; whether this caller is the first."""
        claimed = self.claim(source, digest("once", number), body_digest="", instance_id="", at=at)
        return claimed.new

    def forget(self, source: str, *, before: datetime, most: int, start: str = "") -> tuple[int, str]:
        """Remove claims from before that moment, of the next ``most`` after the key ``start``.

        Returns how many went, and the key to go on from; empty at the end.
        """
        gone = 0
        looked = list(islice(self._requests.rows(source, start, select=["claimed_at"], page=most), most))
        for row in looked:
            if str(row.values.get("claimed_at", "")) < stamp(before) and self._requests.delete(row):
                gone += 1
        return gone, f"{looked[-1].key} " if len(looked) == most else ""

    def started(self, source: str, key: str) -> None:
        """Record that the claim's instance was started."""
        self._requests.put(Row(source, key, {"started": True}))
