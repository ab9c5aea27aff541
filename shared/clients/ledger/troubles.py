"""What is wrong with each pipeline now. Table ``claims``, partition ``trouble``, one row per pipeline or file.

The key is a digest, because a file that is no pipeline may have any name; the name stands in the row. A row whose
trouble is over is removed, so there are never more rows than pipelines.
"""

from dataclasses import dataclass

from shared.clients.ledger.keys import digest
from shared.clients.ledger.tables import Row, Table
from shared.messages import Trouble
from shared.wire import from_text, to_text

_PARTITION = "trouble"


@dataclass(frozen=True, slots=True)
class _Kept:
    troubles: tuple[Trouble, ...]


class TroubleLedger:
    """Keeps the troubles of pipelines."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def all(self) -> dict[str, tuple[Trouble, ...]]:
        """Pipeline or file -> what is wrong with it, for those that something is wrong with."""
        return {row.values["name"]: _troubles(row) for row in self._claims.rows(_PARTITION)}

    def of(self, pipeline: str) -> tuple[Trouble, ...]:
        """What is wrong with the pipeline now."""
        row = self._claims.get(_PARTITION, digest(pipeline))
        return _troubles(row) if row else ()

    def keep(self, pipeline: str, troubles: tuple[Trouble, ...]) -> None:
        """Keep this in place of what was kept before; nothing wrong leaves no row."""
        key = digest(pipeline)
        if troubles:
            text = to_text(_Kept(troubles))
            self._claims.put(Row(_PARTITION, key, {"name": pipeline, "troubles": text}))
        else:
            self._claims.delete(Row(_PARTITION, key, {}))


def _troubles(row: Row) -> tuple[Trouble, ...]:
    return from_text(_Kept, row.values["troubles"]).troubles
