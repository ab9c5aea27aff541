"""What is known of each pipeline's expectation. Table ``claims``, partition ``expected``, row = pipeline."""

from shared.clients.ledger.tables import Row, Table
from shared.messages import Watch
from shared.values.wire import from_text, to_text

_PARTITION = "expected"


class ExpectationLedger:
    """Stores it."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def all(self) -> dict[str, Watch]:
        """Pipeline -> what is known, of every pipeline that was ever watched."""
        return {row.key: _watch(row) for row in self._claims.rows(_PARTITION)}

    def of(self, pipeline: str) -> Watch | None:
        """What is known of one."""
        row = self._claims.get(_PARTITION, pipeline)
        return _watch(row) if row else None

    def keep(self, pipeline: str, watch: Watch) -> None:
        """Replace it."""
        self._claims.put(Row(_PARTITION, pipeline, {"watch": to_text(watch)}))

    def forget(self, pipeline: str) -> None:
        """Remove it."""
        self._claims.delete(Row(_PARTITION, pipeline, {}))


def _watch(row: Row) -> Watch:
    return from_text(Watch, row.values["watch"])
