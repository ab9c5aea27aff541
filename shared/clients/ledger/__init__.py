"""The ledger: what people ask about later, and the claims that make things happen once.

Arrivals with their verdicts, windows, runs and champions, in Azure Tables of the host's storage account. Each part
describes its rows.
"""

from shared.clients.ledger.arrivals import ArrivalLedger, JoinedWindow, RecordedArrival
from shared.clients.ledger.champions import ChampionLedger
from shared.clients.ledger.runs import RunLedger
from shared.clients.ledger.tables import Tables

__all__ = ["ArrivalLedger", "ChampionLedger", "JoinedWindow", "Ledger", "RecordedArrival", "RunLedger"]


class Ledger:
    """One client for the whole ledger; safe to share between threads."""

    def __init__(self, connection_string: str, prefix: str) -> None:
        self._tables = Tables(connection_string, prefix)
        self.arrivals = ArrivalLedger(self._tables.table("arrivals"), self._tables.table("claims"))
        self.runs = RunLedger(self._tables.table("runs"))
        self.champions = ChampionLedger(self._tables.table("champions"))

    def close(self) -> None:
        """Close the connections."""
        self._tables.close()
