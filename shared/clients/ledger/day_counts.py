"""How many files arrived on each day: rows of table ``arrivals``, partition = pipeline.

``d-<day, newest first>-<who counted>``: the files of one UTC day by the quarters of an hour, as far as one process has
counted them. A process adds to rows of its own only, in the transaction that records the arrivals; so counting takes no
request of its own, hosts never wait for each other, and an event that comes again is not counted again. A row whose
last change may have been made or not is read again, or left as it is for a new one.

- ``...-past``: what arrived before arrivals were counted, see :meth:`DayCounts.put_past`.
- ``...-w<digest>``: files of a window that no event reported.
- ``...-all``: all of the day; days that are long over are put together, so that a year is few rows.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import groupby, islice

from shared.clients.ledger.keys import digest
from shared.clients.ledger.tables import MOST_CHANGES, Change, Delete, Insert, Row, Table, Update
from shared.decisions.arrivals.day_counts import moments_of_quarters, quarter_of

MOST_ROWS = 5_000  # of a year that are read; the newest, and there are few more than days
_FIRST, _END = "d-", "d."
_LAST_DAY = date.max.toordinal()
_OWN_DAYS = 3  # that a process adds to: today, yesterday, and the one before in another zone
_MOST_DAYS = 10  # put together at once

_Quarters = dict[int, int]


@dataclass(slots=True)
class _Own:
    """A row that only this process adds to. ``sure``: it holds what is known of it here."""

    key: str
    quarters: _Quarters = field(default_factory=dict)
    exists: bool = False
    sure: bool = True


class Addition:
    """Counts that go along with a transaction: ``changes`` are a part of it; then say what became of it."""

    def __init__(self, counts: DayCounts, partition: str, owned: dict[date, _Own], more: dict[date, _Quarters]) -> None:
        self._counts, self._partition, self._owned, self._more = counts, partition, owned, more

    @property
    def changes(self) -> list[Change]:
        """The rows to write."""
        found: list[Change] = []
        for day, quarters in self._more.items():
            own = self._owned[day]
            row = Row(self._partition, own.key, {"quarters": _text(_sum(own.quarters, quarters))})
            found.append(Update(row) if own.exists else Insert(row))
        return found

    def made(self) -> None:
        """The transaction was made."""
        for day, quarters in self._more.items():
            own = self._owned[day]
            own.quarters, own.exists = _sum(own.quarters, quarters), True
        self._counts.give_back(self._partition, self._owned)

    def refused(self) -> None:
        """It was not, unless an earlier try of the same call was."""
        for day in self._more:
            self._owned[day].sure = False
        self._counts.give_back(self._partition, self._owned)


class DayCounts:
    """Counts arrivals; safe to share between threads."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._idle: dict[str, dict[date, _Own]] = {}

    def adding(self, partition: str, moments: Iterable[datetime]) -> Addition:
        """What to write along with arrivals of these moments. When it is lost, new rows are begun."""
        more: dict[date, _Quarters] = {}
        for (day, quarter), files in Counter(map(quarter_of, moments)).items():
            more.setdefault(day, {})[quarter] = files
        with self._lock:
            owned = self._idle.pop(partition, {}) if more else {}
        for day in more:
            own = owned.get(day)
            owned[day] = _Own(_key(day, secrets.token_hex(4))) if own is None else self._sure(partition, own)
        return Addition(self, partition, owned, more)

    def give_back(self, partition: str, owned: dict[date, _Own]) -> None:
        """Keep the rows for the next arrivals."""
        if owned:
            with self._lock:
                self._idle[partition] = {day: owned[day] for day in sorted(owned)[-_OWN_DAYS:]}

    def _sure(self, partition: str, own: _Own) -> _Own:
        if own.sure:
            return own
        row = self._table.get(partition, own.key)
        return replace(own, quarters=_quarters(row) if row else {}, exists=row is not None, sure=True)

    def put_unreported(self, pipeline: str, window_id: str, at: datetime, files: int) -> None:
        """Count files of a window that no event reported; safe to repeat."""
        day, quarter = quarter_of(at)
        key = _key(day, f"w{digest(window_id)[:16]}")
        self._table.put(Row(pipeline, key, {"quarters": _text({quarter: files})}))

    def put_past(self, pipeline: str, day: date, quarters: Mapping[int, int]) -> None:
        """Set what arrived on a day before arrivals were counted; safe to repeat."""
        self._table.put(Row(pipeline, _key(day, "past"), {"quarters": _text(quarters)}))

    def rows(self, pipeline: str, since: date) -> list[Row]:
        """The rows of that day and those after it, newest first."""
        rows = self._table.rows(pipeline, _FIRST, f"{_key(since, '')}~", page=1000)
        return list(islice(rows, MOST_ROWS))

    def put_together(self, rows: Iterable[Row], before: date) -> bool:
        """Make one row of the rows of each day before that one; whether any was changed.

        Nobody adds to them any more. A few days at once; what was changed meanwhile stays for the next time.
        """
        several = [
            (day, group)
            for day, of_the_day in groupby(rows, key=_day)
            if day < before and len(group := list(of_the_day)[: MOST_CHANGES - 1]) > 1
        ]
        for day, group in several[:_MOST_DAYS]:
            key, partition = _key(day, "all"), group[0].partition
            whole = next((row for row in group if row.key == key), None)
            values = {"quarters": _text(_sum(*(_quarters(row) for row in group)))}
            first: Change = (
                Insert(Row(partition, key, values)) if whole is None else Update(replace(whole, values=values))
            )
            self._table.transact(first, *(Delete(row) for row in group if row is not whole))
        return bool(several)

    def forget(self, pipeline: str, *, before: date, most: int) -> int:
        """Remove the counts of days before that one; how many rows went."""
        rows = self._table.rows(pipeline, f"{_key(before, '')}~", _END, select=["quarters"], page=most)
        gone = 0
        for row in islice(rows, most):
            self._table.delete(Row(row.partition, row.key, {}))
            gone += 1
        return gone


def counts_of(rows: Iterable[Row]) -> dict[datetime, int]:
    """Beginning of a quarter of an hour -> files, of these rows, which are in order of their days."""
    found: dict[datetime, int] = {}
    for day, of_the_day in groupby(rows, key=_day):
        quarters = [_quarters(row) for row in of_the_day]
        whole = quarters[0] if len(quarters) == 1 else _sum(*quarters)
        found |= moments_of_quarters(day, whole)
    return found


def _key(day: date, who: str) -> str:
    return f"{_FIRST}{_LAST_DAY - day.toordinal():07d}-{who}"


def _day(row: Row) -> date:
    return date.fromordinal(_LAST_DAY - int(row.key[len(_FIRST) :].partition("-")[0]))


def _sum(*several: Mapping[int, int]) -> _Quarters:
    total: Counter[int] = Counter()
    for quarters in several:
        total.update(quarters)
    return dict(total)


def _text(quarters: Mapping[int, int]) -> str:
    """Such as ``24:3 25:1``: the number of a quarter of an hour in the day, and its files."""
    return " ".join(f"{quarter}:{files}" for quarter, files in sorted(quarters.items()))


def _quarters(row: Row) -> _Quarters:
    parts = (part.partition(":") for part in row.values["quarters"].split())
    return {int(quarter): int(files) for quarter, _, files in parts}
