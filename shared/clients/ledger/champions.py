"""Champions: which run's model serves. Table ``champions``, partition = pipeline, row ``current``."""

from datetime import UTC, datetime

from shared.clients.ledger.tables import MOST_RACES, Row, Table
from shared.errors import TransientError
from shared.messages import Champion
from shared.wire import from_text, to_text

_CURRENT = "current"


class ChampionLedger:
    """Reads and crowns champions."""

    def __init__(self, champions: Table) -> None:
        self._champions = champions

    def champion(self, pipeline: str) -> Champion:
        """Who serves now; ``run_id`` is None while nobody does."""
        row = self._champions.get(pipeline, _CURRENT)
        return from_text(Champion, row.values["champion"]) if row else Champion(pipeline=pipeline)

    def crown(self, champion: Champion, *, since: datetime) -> None:
        """Make it the champion, unless one that took over later is there already.

        ``since`` is when its traffic was switched: a late repeat for an older run therefore changes nothing.
        """
        values = {"champion": to_text(champion), "since": since.astimezone(UTC).isoformat()}
        for _ in range(MOST_RACES):
            row = self._champions.get(champion.pipeline, _CURRENT)
            if row is None:
                if self._champions.insert(Row(champion.pipeline, _CURRENT, values)):
                    return
                continue
            if datetime.fromisoformat(row.values["since"]) > since:
                return
            if self._champions.update(Row(row.partition, row.key, values, row.etag)):
                return
        raise TransientError(f"too many runs raced to be champion of {champion.pipeline}; try again")
