"""What the API answers about data that are expected, and about the days on which they came."""

from dataclasses import dataclass
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from function_app.api.fields import Weeks
from shared.messages import Basis


class CalendarQuery(BaseModel):
    """How much of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weeks: Weeks = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedView:
    """What is expected of a pipeline's data now, and a sentence that says so.

    ``by``: when the data should be there, and ``deadline`` when they are overdue; null when nothing is expected now.
    ``files``: how many are needed. ``usual``, ``least`` and ``most``: how many come, by the forecast. ``arrived``: how
    many came so far, in the same hour, day or week. ``overdue_since``: the first deadline that passed in vain; null
    when nothing is overdue.
    """

    sentence: str
    basis: Basis
    zone: str
    by: datetime | None
    deadline: datetime | None
    files: int | None
    usual: int | None
    least: int | None
    most: int | None
    arrived: int
    overdue_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDayView:
    """A day: how many files came; how many were expected, null for none; whether what was expected stayed away.

    ``awaited``: whether something that was expected has not come and may still come.
    """

    day: date
    files: int
    expected: int | None
    missing: bool
    awaited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days of a pipeline until today, the oldest first, in its time zone.

    What was expected is judged by what the file says now, or by the history before each day. ``complete``: false while
    arrivals from before days were counted are being counted; then earlier days may have more files.
    """

    pipeline: str
    zone: str
    basis: Basis
    complete: bool
    days: tuple[CalendarDayView, ...]
