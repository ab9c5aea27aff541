"""An append-only journal: entries are recorded once per key, and listed by time, newest first.

Each entry has a small row under its own key, which a repeat finds. Its text is in the row of its group, ``g-<newest
first>-<random>``, with everything that was recorded in the same transaction. So a burst costs little more than one
small row per entry, and a long list or a sum needs few rows.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from heapq import nsmallest
from itertools import islice
from typing import TypeVar

from shared.clients.ledger.day_counts import DayCounts
from shared.clients.ledger.keys import end_of, newest_first, stamp
from shared.clients.ledger.pages import Page, refused_token
from shared.clients.ledger.tables import MOST_CHANGES, UNKNOWN, Insert, Row, Table
from shared.decisions.arrivals.day_counts import quarter_of
from shared.messages import Backfill
from shared.values.wire import from_text

Message = TypeVar("Message")

_LONGEST_LIST = 30_000  # bytes of one row's list; a column takes 32 Ki characters, and none is less than a byte
_FIRST = "g-"
_TOKEN = re.compile(r"(g-\d{18}-[0-9a-f]{8})\.(\d{1,3})", re.ASCII)
_ROWS_AT_ONCE = 20  # rows of a page of a list; each may hold many entries


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to record: the key of its row, its time, and its text on one line of at most 30,000 bytes.

    ``window``: the window whose tally it adds to, by ``size`` bytes and ``marked``; the same for all entries of a call.
    ``counted_at``: when it counts as a file of its day; None for what does not.
    """

    key: str
    at: datetime
    text: str
    window: str = ""
    size: int = 0
    marked: bool = False
    counted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """The sums of a window's entries. The done-marker is reported, but does not count as a file of the data."""

    files: int = 0
    size: int = 0
    marked: bool = False
    last_at: datetime | None = None


class Journal:
    """Records and lists entries in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.day_counts = DayCounts(table)

    def add(self, partition: str, entries: Sequence[Entry]) -> list[bool]:
        """Record entries; for each, whether it is new. Of several with the same key, only the first can be.

        A transaction takes as many as it may hold. One that meets a row that is there already records nothing: that
        entry is set aside and the others go again, in smaller transactions while that keeps happening.
        """
        known: set[str] = set()
        waiting = list({entry.key: entry for entry in reversed(entries)}.values())[::-1]
        room = MOST_CHANGES - 1
        while waiting:
            group = _fitting(waiting, room)
            counted = self.day_counts.adding(partition, _moments(group))
            failed = self._table.transact(*(Insert(row) for row in _rows(partition, group)), *counted.changes)
            (counted.made if failed is None else counted.refused)()
            if failed is None:
                del waiting[: len(group)]
                room = min(MOST_CHANGES - 1, room * 2)
            elif failed == UNKNOWN and len(group) > 1:
                room = 1
            elif failed < len(group):
                known.add(waiting.pop(max(0, failed)).key)
                room = max(1, room // 2)
        return [_is_new(known, entry.key) for entry in entries]

    def text(self, partition: str, key: str) -> str | None:
        """The text that was recorded under the key."""
        row = self._table.get(partition, key)
        return self._texts_of(partition, [row])[0] if row else None

    def texts(self, partition: str, prefix: str, *, newest: int) -> list[str]:
        """The texts under the keys that start with the prefix: the newest so many, newest first.

        Of all others only the place is read, a thousand in a request: their group's key says when it was written.
        """
        rows = self._table.rows(partition, prefix, end_of(prefix), select=["group", "number"], page=1000)
        return self._texts_of(partition, nsmallest(newest, rows, key=_newest_first))

    def page(self, partition: str, kind: type[Message], *, limit: int, after: str | None) -> Page[Message]:
        """A page of what was recorded, newest first."""
        found: list[tuple[str, str]] = []
        for token, text in self._texts(partition, after, min(limit + 1, _ROWS_AT_ONCE)):
            found.append((token, text))
            if len(found) > limit:
                break
        shown = found[:limit]
        more = shown[-1][0] if shown and len(found) > limit else None
        return Page(tuple(from_text(kind, text) for _, text in shown), more)

    def tally(self, partition: str, window: str, *, since: datetime) -> Tally:
        """The tally of a window whose entries are of ``since`` or later."""
        files, size, marked, last_at = 0, 0, False, None
        columns = ["files", "size", "marked", "at"]
        for row in self._table.rows(
            partition, _FIRST, f"{_FIRST}{newest_first(since)}~", where={"window": window}, select=columns
        ):
            files += row.values["files"]
            size += int(row.values["size"])
            marked = marked or row.values["marked"]
            last_at = last_at or datetime.fromisoformat(row.values["at"])
        return Tally(files, size, marked, last_at)

    def forget(self, partition: str, before: datetime, keys_of: Callable[[str], Sequence[str]], *, most: int) -> int:
        """Remove the oldest entries, those recorded before that moment, group by group; how many went, about ``most``.

        ``keys_of``: the keys of an entry's row, from its text; more than it has do no harm.
        """
        gone = 0
        for group in self._table.rows(partition, f"{_FIRST}{newest_first(before)}", end_of(_FIRST), page=_ROWS_AT_ONCE):
            texts = group.values["entries"].split("\n")
            for key in dict.fromkeys(key for text in texts for key in keys_of(text)):
                row = self._table.get(partition, key)
                if row is not None and row.values.get("group") == group.key:
                    self._table.delete(row)
            self._table.delete(group)  # last, so that no entry is without its text
            gone += len(texts)
            if gone >= most:
                break
        return gone

    def backfill(self, partition: str, state: Backfill, *, since: datetime, most: int) -> Backfill:
        """Count files that were recorded before days were counted, from where it stopped; reads that many rows.

        Safe to repeat from the same state: a day is only written as a whole.
        """
        start, end = f"{state.after} " if state.after else _FIRST, f"{_FIRST}{newest_first(since)}~"
        after, day, quarters, read = state.after, state.day, dict(state.quarters), 0
        rows = self._table.rows(partition, start, end, select=["files", "at", "by_day"], page=min(most, 1000))
        for row in islice(rows, most):
            after, read = row.key, read + 1
            if row.values.get("by_day") or not row.values.get("files"):
                continue
            of_day, quarter = quarter_of(datetime.fromisoformat(row.values["at"]))
            if of_day != day:
                self._keep_past(partition, day, quarters)
                day, quarters = of_day, {}
            quarters[quarter] = quarters.get(quarter, 0) + row.values["files"]
        if read < most:
            self._keep_past(partition, day, quarters)
        return Backfill(after=after, day=day, quarters=quarters, done=read < most)

    def _keep_past(self, partition: str, day: date | None, quarters: dict[int, int]) -> None:
        if day is not None:
            self.day_counts.put_past(partition, day, quarters)

    def _texts_of(self, partition: str, rows: Sequence[Row]) -> list[str]:
        """The texts of these rows, read from the rows of their groups, which were written together."""
        groups = {key: self._table.get(partition, key) for key in {row.values["group"] for row in rows}}
        lines = {key: group.values["entries"].split("\n") for key, group in groups.items() if group is not None}
        return [lines[row.values["group"]][row.values["number"]] for row in rows]

    def _texts(self, partition: str, after: str | None, rows_at_once: int) -> Iterator[tuple[str, str]]:
        """Each text with the token of the position after it."""
        start, seen = _position(after)
        for row in self._table.rows(partition, start, end_of(_FIRST), page=rows_at_once):
            for number, text in enumerate(reversed(row.values["entries"].split("\n"))):
                if row.key != start or number > seen:
                    yield f"{row.key}.{number}", text


def _newest_first(row: Row) -> tuple[str, int]:
    return row.values["group"], -row.values["number"]


def _is_new(known: set[str], key: str) -> bool:
    """Whether the key is new; adds it to the known ones."""
    new = key not in known
    known.add(key)
    return new


def _position(token: str | None) -> tuple[str, int]:
    """The key to start at, and the number of the last entry shown from it."""
    if token is None:
        return _FIRST, -1
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise refused_token()
    return found[1], int(found[2])


def _fitting(entries: Sequence[Entry], room: int) -> Sequence[Entry]:
    """The first entries that one transaction takes, with their days' counts beside the group's row."""
    length, days = 0, set[date]()
    for number, entry in enumerate(entries[:room]):
        length += len(entry.text.encode()) + 1
        days |= {quarter_of(moment)[0] for moment in _moments([entry])}
        if number and (length > _LONGEST_LIST or number + 1 + len(days) > MOST_CHANGES - 1):
            return entries[:number]
    return entries[:room]


def _moments(entries: Sequence[Entry]) -> list[datetime]:
    return [entry.counted_at for entry in entries if entry.counted_at is not None]


def _rows(partition: str, entries: Sequence[Entry]) -> list[Row]:
    """One small row for each entry, and the row of the group."""
    counted = [entry for entry in entries if entry.window]
    files = [entry for entry in counted if not entry.marked]
    at = max(entry.at for entry in entries)
    listed = {
        "entries": "\n".join(entry.text for entry in entries),
        "at": stamp(at),
        "window": counted[0].window if counted else "",
        "files": len(files),
        "size": str(sum(entry.size for entry in files)),  # as text: a column's plain number has 32 bits
        "marked": len(files) < len(counted),
        "by_day": True,  # its files are in the counts of days; see backfill()
    }
    group = f"{_FIRST}{newest_first(at)}-{secrets.token_hex(4)}"
    own = [Row(partition, entry.key, {"group": group, "number": number}) for number, entry in enumerate(entries)]
    return [*own, Row(partition, group, listed)]
