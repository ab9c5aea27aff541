"""How many files arrived when: counts by quarters of an hour, which make days in every zone. Pure.

The clocks of every zone differ from UTC by whole quarters of an hour, so that a day's count is exact wherever the day
begins.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from shared.decisions.arrivals.local_days import ONE_DAY, local, start_of
from shared.messages import Arrival

QUARTER = timedelta(minutes=15)
HISTORY = timedelta(weeks=53)
"""So long counts are kept, read and shown."""
LATE = timedelta(days=1)
"""An event may be delivered so much later than its file was written: as long as Event Grid tries."""
SETTLED_AFTER = timedelta(days=3)
"""Nobody adds to a day that is so long over; more than :data:`LATE` and a day, whatever the zone."""


def counted_at(arrival: Arrival) -> datetime:
    """The moment at which an arrival counts: when its file was written, if that can be, else when the event came."""
    written, received = arrival.occurred_at, arrival.received_at
    return (written if received - LATE <= written <= received else received).astimezone(UTC)


def quarter_of(moment: datetime) -> tuple[date, int]:
    """The UTC day of a moment, and the number of its quarter of an hour in it."""
    utc = moment.astimezone(UTC)
    return utc.date(), utc.hour * 4 + utc.minute // 15


def moment_of_quarter(day: date, number: int) -> datetime:
    """When a quarter of an hour of a UTC day begins."""
    return datetime.combine(day, time(), tzinfo=UTC) + number * QUARTER


_IN_A_DAY = tuple(number * QUARTER for number in range(96))


def moments_of_quarters(day: date, quarters: Mapping[int, int]) -> dict[datetime, int]:
    """The same of many of a day, with their files."""
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    return {midnight + _IN_A_DAY[number]: files for number, files in quarters.items()}


@dataclass(frozen=True, slots=True)
class DayArrivals:
    """What arrived on a local day: how many files, and the quarter of the first, in minutes since midnight."""

    files: int
    first: int


class History:
    """The arrivals of a pipeline: files by the quarter of an hour in which they were written."""

    def __init__(self, counts: Mapping[datetime, int]) -> None:
        """``counts``: beginning of a quarter, in UTC -> files."""
        self._moments = sorted(moment for moment, files in counts.items() if files > 0)
        self._counts = [counts[moment] for moment in self._moments]
        self._sums = [0, *accumulate(self._counts)]

    @property
    def first(self) -> datetime | None:
        """The quarter of the first file."""
        return self._moments[0] if self._moments else None

    def files(self, start: datetime, end: datetime) -> int:
        """How many came from ``start`` on and before ``end``; ``start`` begins a quarter."""
        return self._sums[bisect_left(self._moments, end)] - self._sums[bisect_left(self._moments, start)]

    def with_file(self, at: datetime) -> "History":
        """The same, and a file that came at that moment and was not counted yet, if none came since."""
        begins = moment_of_quarter(*quarter_of(at))
        if self._moments and self._moments[-1] >= begins:
            return self
        return History(dict(self._items()) | {begins: 1})

    def days(self, zone: str) -> dict[date, DayArrivals]:
        """The local days on which something came."""
        found: dict[date, DayArrivals] = {}
        place = 0
        while place < len(self._moments):
            first = local(self._moments[place], zone)
            day = first.date()
            after = bisect_left(self._moments, start_of(day + ONE_DAY, zone), lo=place + 1)
            found[day] = DayArrivals(self._sums[after] - self._sums[place], first.hour * 60 + first.minute)
            place = after
        return found

    def _items(self) -> Iterable[tuple[datetime, int]]:
        return zip(self._moments, self._counts, strict=True)
