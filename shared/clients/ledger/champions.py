"""Champions: which run's model serves. Table ``champions``, partition = pipeline, row ``current``.

The column ``before`` has the champion whose place it took, for a run that is cancelled in the middle of its crowning.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.clients.ledger.tables import MOST_RACES, Row, Table
from shared.decisions.promotion.judgement import with_bests
from shared.errors import TransientError
from shared.messages import Best, Champion
from shared.values.wire import from_text, to_text

_CURRENT = "current"
_NEXT = timedelta(microseconds=1)


class ChampionLedger:
    """Reads and crowns champions."""

    def __init__(self, champions: Table) -> None:
        self._champions = champions

    def champion(self, pipeline: str) -> Champion:
        """The current champion; ``run_id`` is None when there is none."""
        row = self._champions.get(pipeline, _CURRENT)
        return _champion(row) if row else Champion(pipeline=pipeline)

    def crown(
        self, champion: Champion, *, since: datetime, over: str | None = None, measured: Sequence[Best] = ()
    ) -> None:
        """Make it the champion, unless one that took over later is there already.

        ``since`` is when its traffic was switched: a late repeat for an older run therefore changes nothing. ``over``:
        the run that it was judged against; if that is the champion still, it took over later, whatever the clocks of
        the two hosts say. ``measured``: numbers of champions, kept where they are the best so far.
        """
        for _ in range(MOST_RACES):
            row = self._champions.get(champion.pipeline, _CURRENT)
            if row is None:
                crowned = replace(champion, bests=with_bests((), measured))
                if self._champions.insert(Row(champion.pipeline, _CURRENT, _values(crowned, since))):
                    return
                continue
            before, crowned_at = _champion(row), datetime.fromisoformat(row.values["since"])
            follows = over is not None and before.run_id == over != champion.run_id
            if crowned_at > since and not follows:
                return
            at = max(since, crowned_at + _NEXT) if follows else since
            crowned = replace(champion, bests=with_bests(before.bests, measured))
            values = _values(crowned, at)
            if before.run_id != champion.run_id:
                values["before"] = to_text(before)
            if self._champions.update(Row(row.partition, row.key, values, row.etag)):
                return
        raise TransientError(f"too many runs raced to be champion of {champion.pipeline}")

    def uncrown(self, pipeline: str, run_id: str, *, at: datetime) -> None:
        """Undo the crowning of a run that did not end as promoted: who was champion before is it again, or nobody."""
        row = self._champions.get(pipeline, _CURRENT)
        if row is None or _champion(row).run_id != run_id:
            return
        before = from_text(Champion, row.values["before"]) if row.values.get("before") else Champion(pipeline=pipeline)
        self.replace(before, instead_of=run_id, at=at)

    def replace(self, champion: Champion, *, instead_of: str, at: datetime) -> None:
        """Make it the champion in place of a run that is not to be it any more; nothing when that run is not champion.

        The best numbers so far stay, but for those of that run. A champion without a run: nothing serves.
        """
        for _ in range(MOST_RACES):
            row = self._champions.get(champion.pipeline, _CURRENT)
            if row is None or _champion(row).run_id != instead_of:
                return
            before, crowned_at = _champion(row), datetime.fromisoformat(row.values["since"])
            bests = tuple(best for best in before.bests if best.run_id != instead_of)
            values = _values(replace(champion, bests=bests), max(at, crowned_at + _NEXT))
            if self._champions.update(Row(row.partition, row.key, values, row.etag)):
                return
        raise TransientError(f"too many writers raced for the champion of {champion.pipeline}")

    def note(self, pipeline: str, measured: Sequence[Best]) -> None:
        """Record what a run that was not promoted measured of the champion."""
        for _ in range(MOST_RACES):
            row = self._champions.get(pipeline, _CURRENT)
            if row is None or not measured:
                return
            champion = _champion(row)
            noted = replace(champion, bests=with_bests(champion.bests, measured))
            since = datetime.fromisoformat(row.values["since"])
            if self._champions.update(Row(row.partition, row.key, _values(noted, since), row.etag)):
                return
        raise TransientError(f"too many runs raced for the champion of {pipeline}")


def _champion(row: Row) -> Champion:
    return from_text(Champion, row.values["champion"])


def _values(champion: Champion, since: datetime) -> dict[str, str]:
    return {"champion": to_text(champion), "since": since.astimezone(UTC).isoformat()}
