"""Local days and times of a zone as moments in UTC, right over changes to and from summer time. Pure.

Moments of one zone are never compared or subtracted with each other: Python does that by the clock on the wall.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
_HOURS = tuple(timedelta(hours=number) for number in range(49))  # a zone that moves over the date line has a day twice


@cache
def zone_of(name: str) -> ZoneInfo:
    """The zone of that name; raises ``ZoneInfoNotFoundError`` or ``ValueError``."""
    return ZoneInfo(name)


def moment_of(day: date, at: time, zone: str) -> datetime:
    """When the clocks of the zone show that time on that day: of two such moments the first.

    A time that clocks skip stands for the moment as if they had not yet been changed. ``at.fold`` means nothing here: a
    time of day that people write down has none.
    """
    return datetime.combine(day, at.replace(fold=0), tzinfo=zone_of(zone)).astimezone(UTC)


def start_of(day: date, zone: str) -> datetime:
    """When the day begins."""
    return moment_of(day, time(), zone)


def local(moment: datetime, zone: str) -> datetime:
    """The moment as the clocks of the zone show it."""
    return moment.astimezone(zone_of(zone))


def day_of(moment: datetime, zone: str) -> date:
    """The local day of a moment."""
    return local(moment, zone).date()


def hours_of(day: date, zone: str) -> list[tuple[datetime, datetime]]:
    """The hours of a local day, of which there are 23 to 25 when clocks change."""
    start, end = start_of(day, zone), start_of(day + ONE_DAY, zone)
    begun = [start + hours for hours in _HOURS[: -(-(end - start) // _HOURS[1])]]
    return list(zip(begun, [*begun[1:], end], strict=True))
