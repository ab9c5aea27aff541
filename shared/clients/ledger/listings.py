"""Each pipeline's decided listing, last trained snapshot and last scan.

Table ``claims``, row = pipeline, in three partitions:

- ``settled``: the decided listing. A scan that sees another one has found a change.
- ``trained``: the snapshot of the last training that was judged, for ``select: new``.
- ``looked``: the state of the reconciler's last scan, so that the next one can stop early.
"""

from datetime import datetime

from shared.clients.ledger.tables import MOST_RACES, Row, Table
from shared.decisions.snapshots.incremental_selection import LastTraining
from shared.errors import TransientError
from shared.messages.listings import DecidedListing, ScanState
from shared.values.wire import from_text, to_text

_DECIDED, _TRAINED, _SCANNED = "settled", "trained", "looked"


class ListingLedger:
    """Stores them."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def last_decided(self, pipeline: str) -> DecidedListing | None:
        """The decided listing; None when there is none, or it was cleared."""
        row = self._claims.get(_DECIDED, pipeline)
        return from_text(DecidedListing, row.values["listing"]) if row and row.values["listing"] else None

    def mark_decided(
        self, pipeline: str, listing: str, newest: datetime | None, *, code: str = "", run_id: str = ""
    ) -> None:
        """Record that this listing was decided on, with this code, and the run that the decision was about.

        When an older listing is recorded late, the reconciler only scans again.
        """
        text = to_text(DecidedListing(listing=listing, newest=newest, code=code, run_id=run_id))
        self._claims.put(Row(_DECIDED, pipeline, {"listing": text}))

    def clear_decision(self, pipeline: str) -> None:
        """Let the reconciler request an admission again, although nothing has changed on the hub."""
        self._claims.put(Row(_DECIDED, pipeline, {"listing": ""}))
        self._claims.put(Row(_SCANNED, pipeline, {"look": ""}))

    def trained(self, pipeline: str) -> LastTraining | None:
        """The last training that was judged."""
        row = self._claims.get(_TRAINED, pipeline)
        return from_text(LastTraining, row.values["trained"]) if row else None

    def keep_trained(self, pipeline: str, trained: LastTraining) -> None:
        """Record that this snapshot was trained and judged, unless one that covers it is recorded already."""
        values = {"trained": to_text(trained)}
        for _ in range(MOST_RACES):
            row = self._claims.get(_TRAINED, pipeline)
            if row is None:
                if self._claims.insert(Row(_TRAINED, pipeline, values)):
                    return
                continue
            if from_text(LastTraining, row.values["trained"]).covers(trained):
                return
            if self._claims.update(Row(row.partition, row.key, values, row.etag)):
                return
        raise TransientError(f"too many runs of pipeline {pipeline} ended at once")

    def last_scan(self, pipeline: str) -> ScanState | None:
        """The state of the last scan."""
        row = self._claims.get(_SCANNED, pipeline)
        return from_text(ScanState, row.values["look"]) if row and row.values["look"] else None

    def keep_scan(self, pipeline: str, scan: ScanState) -> None:
        """Replace the state of the last scan."""
        self._claims.put(Row(_SCANNED, pipeline, {"look": to_text(scan)}))
