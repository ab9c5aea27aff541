"""When each piece of upkeep was last done, and for what. Table ``claims``, partition ``upkeep``, row = digest of it."""

from dataclasses import dataclass
from datetime import datetime

from shared.clients.ledger.keys import digest, stamp
from shared.clients.ledger.tables import Row, Table

_PARTITION = "upkeep"


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The last time. ``seen``: a text of the caller's, such as the state that it found, or where it stopped."""

    at: datetime
    seen: str = ""


class UpkeepLedger:
    """Remembers upkeep by its name; the newest note stays."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def last(self, what: str) -> Upkeep | None:
        """When it was last done; None when it never was."""
        row = self._claims.get(_PARTITION, digest(what))
        return _upkeep(row) if row else None

    def note(self, what: str, at: datetime, seen: str = "") -> None:
        """Record that it was done."""
        self._claims.put(Row(_PARTITION, digest(what), {"at": stamp(at), "seen": seen, "what": what[:1000]}))


def _upkeep(row: Row) -> Upkeep:
    return Upkeep(datetime.fromisoformat(row.values["at"]), row.values.get("seen", ""))
