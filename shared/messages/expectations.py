"""What data are expected of a pipeline, by when, and whether they are overdue."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum


class Every(StrEnum):
    """How often data are expected; ``NONE``: never, nobody waits for them."""

    HOUR = "hour"
    DAY = "day"
    WEEKDAY = "weekday"
    WEEK = "week"
    NONE = "none"


class Basis(StrEnum):
    """What an expectation rests on.

    ``FILE``: ``expect`` in the pipeline's file. ``FORECAST``: the pipeline's own history. ``OFF``: nothing is expected,
    because the file says so. ``TOO_NEW``: there is too little history for a forecast.
    """

    FILE = "file"
    FORECAST = "forecast"
    OFF = "off"
    TOO_NEW = "too_new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expecting:
    """How a pipeline's data are expected, as its file says.

    ``every``: None leaves it to the forecast. ``by``: local time of day; None is the end of the hour, day or week.
    ``on``: the day of the week for ``WEEK``, 0 is Monday. ``grace``: how long after ``by`` nothing is overdue yet.
    """

    every: Every | None = None
    by: time | None = None
    on: int = 6
    zone: str = "UTC"
    files: int = 1
    grace: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """An hour, a day or a week in which data are expected; moments are in UTC.

    ``day``: the local day that a calendar shows it on. ``by``: when the data should be there; ``deadline``: when they
    are overdue. ``files``: how many are needed; ``usual``, ``least`` and ``most``: how many come, by the forecast.
    """

    day: date
    start: datetime
    end: datetime
    by: datetime
    deadline: datetime
    files: int = 1
    usual: int = 1
    least: int = 1
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Data that did not come: ``since`` the deadline of the first period that stayed empty, which began at ``start``.

    ``by``: when they should have been there. ``files``: how many were expected. ``missed``: how many periods so far.
    """

    start: datetime
    by: datetime
    since: datetime
    files: int = 1
    missed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of a pipeline now.

    ``today``: the period of this moment, None when nothing is expected in it. ``arrived``: files so far in it, or
    today. ``samples``: so many earlier days of the week the forecast rests on. ``first``: when the first file came.
    ``again``: since when data are waited for again, if nobody did for a time. ``next_at``: the next moment at which
    something may become overdue. ``near``: see :class:`Watch`.
    """

    basis: Basis
    zone: str
    today: Period | None = None
    arrived: int = 0
    samples: int = 0
    first: datetime | None = None
    again: datetime | None = None
    gap: Gap | None = None
    next_at: datetime | None = None
    near: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """How far the arrivals from before days were counted have been counted, the newest first.

    ``after``: the last row that was read. ``day`` and ``quarters``: the day that it belongs to, and its sums so far.
    """

    after: str = ""
    day: date | None = None
    quarters: dict[int, int] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A time in which nobody waits for a pipeline's data; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the reconciler knows of a pipeline's expectation.

    ``since``: when it was first looked at. ``next_at``: it need not be looked at before, while there is no gap.
    ``expecting``: what the file said then. ``told``: the gap was announced. ``rests``: of the time that is counted, the
    oldest first. ``near``: of a forecast, the periods of the next days, and the last one before them while data
    are overdue, so that whoever shows them reads no year of history; None when they were not looked for.
    """

    since: datetime
    next_at: datetime
    expecting: Expecting = Expecting()
    gap: Gap | None = None
    told: bool = False
    backfill: Backfill = Backfill()
    rests: tuple[Rest, ...] = ()
    near: tuple[Period, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueData:
    """Data of a pipeline that should have come and did not, as it is announced."""

    pipeline: str
    site: str
    gap: Gap
    zone: str
    basis: Basis
    sentence: str
    occurred_at: datetime
