"""The ledger: arrivals with verdicts, windows, requests, runs, compute queues and champions, and the claims on them.

Kept in Azure Tables of the host's storage account. Each module describes the rows of its part.
"""

from __future__ import annotations

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger.actions import ActionLedger
from shared.clients.ledger.approvals import ApprovalLedger
from shared.clients.ledger.arrival_entries import RecordedArrival
from shared.clients.ledger.arrival_writer import JoinedWindow
from shared.clients.ledger.arrivals import ArrivalLedger
from shared.clients.ledger.azure_tables import AzureTables
from shared.clients.ledger.built_images import BuiltImageLedger
from shared.clients.ledger.champions import ChampionLedger
from shared.clients.ledger.computes import ComputeLedger
from shared.clients.ledger.expectations import ExpectationLedger
from shared.clients.ledger.image_pins import ImagePinLedger
from shared.clients.ledger.listings import ListingLedger
from shared.clients.ledger.outcome_subscriptions import OutcomeSubscriptionLedger
from shared.clients.ledger.pages import Page
from shared.clients.ledger.passports import PassportLedger
from shared.clients.ledger.quarantines import QuarantineLedger
from shared.clients.ledger.requests import RequestLedger
from shared.clients.ledger.retries import Retry, RetryLedger
from shared.clients.ledger.runs import RunLedger, UnfinishedRun
from shared.clients.ledger.schedules import ScheduleLedger
from shared.clients.ledger.tables import TableSource
from shared.clients.ledger.targets import TargetLedger
from shared.clients.ledger.troubles import TroubleLedger
from shared.clients.ledger.turns import TurnLedger
from shared.clients.ledger.upkeep import UpkeepLedger
from shared.clients.ledger.windows import UnfinishedWindow

__all__ = [
    "ApprovalLedger",
    "ArrivalLedger",
    "BuiltImageLedger",
    "ChampionLedger",
    "ImagePinLedger",
    "JoinedWindow",
    "Ledger",
    "Page",
    "RecordedArrival",
    "Retry",
    "RunLedger",
    "TargetLedger",
    "TurnLedger",
    "UnfinishedRun",
    "UnfinishedWindow",
]


class Ledger:
    """One client for the whole ledger; safe to share between threads."""

    def __init__(self, access: StorageAccess, prefix: str) -> None:
        self._compose(AzureTables(access, prefix))

    @classmethod
    def over(cls, tables: TableSource) -> Ledger:
        """The ledger over another source of tables."""
        ledger = cls.__new__(cls)
        ledger._compose(tables)  # noqa: SLF001 - our own
        return ledger

    def _compose(self, tables: TableSource) -> None:
        self._tables = tables
        claims, runs, requests = tables.table("claims"), tables.table("runs"), tables.table("requests")
        self.actions = ActionLedger(tables.table("actions"))
        self.arrivals = ArrivalLedger(tables.table("arrivals"), claims)
        self.expectations = ExpectationLedger(claims)
        self.listings = ListingLedger(claims)
        self.schedules = ScheduleLedger(claims)
        self.troubles = TroubleLedger(claims)
        self.turns = TurnLedger(claims)
        self.retries = RetryLedger(claims)
        self.upkeep = UpkeepLedger(claims)
        self.runs = RunLedger(runs)
        self.quarantines = QuarantineLedger(runs)
        self.champions = ChampionLedger(tables.table("champions"))
        self.computes = ComputeLedger(tables.table("queue"))
        targets = tables.table("targets")
        self.targets = TargetLedger(targets)
        self.approvals = ApprovalLedger(targets)
        self.built_images = BuiltImageLedger(targets)
        self.passports = PassportLedger(targets)
        self.image_pins = ImagePinLedger(tables.table("imagepins"))
        self.requests = RequestLedger(requests)
        self.outcome_subscriptions = OutcomeSubscriptionLedger(requests)

    def close(self) -> None:
        """Close the connections."""
        self._tables.close()
