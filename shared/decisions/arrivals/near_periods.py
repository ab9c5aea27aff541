"""What is expected now, by what the reconciler last saw: for those who show it often, without a year's history. Pure.

It is behind by a cycle at the most: a period whose deadline has passed meanwhile is looked at here.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.decisions.arrivals.day_counts import QUARTER, History
from shared.decisions.arrivals.expected_periods import Periods
from shared.decisions.arrivals.overdue import late_periods
from shared.decisions.arrivals.rests import is_expected_through, last_end, rests_of
from shared.messages import Basis, Expectation, Expecting, Gap, Period, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The period of this moment, and the newest one whose deadline has passed, as far as it may be overdue."""

    current: Period | None
    late: Period | None
    gap: Gap | None
    """The one that the reconciler knows."""

    @property
    def counts_from(self) -> datetime | None:
        """What came since then has to be known; None for nothing."""
        return min((each.start for each in (self.current, self.late) if each is not None), default=None)


def near_periods(expecting: Expecting, watch: Watch, now: datetime) -> Near:
    """What has to be looked at now of a pipeline whose data are waited for."""
    rests = rests_of(watch, resting_since=None, now=now)
    is_up_to_date = watch.expecting == expecting
    gap = watch.gap if is_up_to_date else None
    if expecting.every is None:
        seen = [each for each in (watch.near or ()) if is_up_to_date and is_expected_through(each, rests)]
        current = next((each for each in seen if each.start <= now < each.end), None)
        late = max((each for each in seen if each.deadline <= now), key=lambda each: each.start, default=None)
        return Near(current=current, late=late, gap=gap)
    periods = Periods(expecting, History({}), rests)
    known = last_end(rests) or watch.since
    late = next(late_periods(periods, known, now, expecting.zone), None)
    return Near(current=periods.at(now), late=late, gap=gap)


def expected_soon(expecting: Expecting, near: Near, history: History, now: datetime) -> Expectation:
    """The expectation by these periods. ``history``: what came since :attr:`Near.counts_from`, or more."""
    current = near.current
    return Expectation(
        basis=Basis.FORECAST if expecting.every is None else Basis.FILE,
        zone=expecting.zone,
        today=current,
        arrived=history.files(current.start, now + QUARTER) if current else 0,
        gap=_gap(near, history, now),
    )


def _gap(near: Near, history: History, now: datetime) -> Gap | None:
    late, known = near.late, near.gap
    if late is None:
        return known
    if history.files(late.start, now + QUARTER) >= late.files:
        return None
    return known or Gap(start=late.start, by=late.by, since=late.deadline, files=late.files)
