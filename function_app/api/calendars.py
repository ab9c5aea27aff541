"""The days on which data came for a pipeline, and those on which they were expected in vain."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from function_app.api.expected_models import Calendar, CalendarDayView, CalendarQuery, ExpectedView
from function_app.api.known_pipelines import name_of
from function_app.composition import Services
from shared.clients.ledger import UnfinishedWindow
from shared.decisions.arrivals.day_counts import HISTORY, History
from shared.decisions.arrivals.overdue import CalendarDay, basis_of, calendar, expectation
from shared.decisions.arrivals.rests import rests_of
from shared.decisions.explanations.expectation_text import expectation_text
from shared.errors import PermanentError
from shared.messages import Every, Expectation, Expecting, Rest, Retirement, Watch
from shared.pipelines import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What the ledger says of the data of a pipeline. ``window``: the open one, whose files may not be counted yet."""

    window: UnfinishedWindow | None
    history: History
    watch: Watch | None
    retirement: Retirement | None
    now: datetime

    @property
    def since(self) -> datetime | None:
        """When the pipeline was first watched."""
        return self.watch.since if self.watch else None

    @property
    def rests(self) -> tuple[Rest, ...]:
        """When nobody waited for its data."""
        return rests_of(self.watch, resting_since=self.retirement.at if self.retirement else None, now=self.now)


def came_of(pipeline: str, services: Services) -> Came:
    """Four requests to the ledger, however much has arrived."""
    ledger, now = services.ledger, datetime.now(UTC)
    window = open_window_of(pipeline, ledger.arrivals.unfinished_windows())
    return Came(
        window=window,
        history=history_of(pipeline, services, now - HISTORY, window=window),
        watch=ledger.expectations.of(pipeline),
        retirement=ledger.actions.retirement(pipeline),
        now=now,
    )


def get_calendar(name: str, query: CalendarQuery, services: Services) -> Calendar:
    """The calendar. As many requests to the ledger as :func:`came_of` makes."""
    pipeline = name_of(name, services)
    return calendar_of(pipeline, query, came_of(pipeline, services), services)


def calendar_of(pipeline: str, query: CalendarQuery, came: Came, services: Services) -> Calendar:
    """The same by what is known already."""
    expecting = _expecting(pipeline, services)
    days = calendar(expecting, came.history, came.now, since=came.since, rests=came.rests, days=query.weeks * 7)
    return Calendar(
        pipeline=pipeline,
        zone=expecting.zone,
        basis=basis_of(expecting, came.history, came.now, rests=came.rests),
        complete=came.watch is not None and came.watch.backfill.done,
        days=tuple(map(_day_view, days)),
    )


def expected_view(pipeline: Pipeline, came: Came) -> ExpectedView | None:
    """What is expected now; None for a retired pipeline, which waits for nothing."""
    if came.retirement is not None:
        return None
    found = expectation(pipeline.expecting, came.history, came.now, since=came.since, rests=came.rests)
    return view_of(found)


def view_of(found: Expectation) -> ExpectedView:
    """An expectation as the API shows it."""
    period = found.today
    return ExpectedView(
        sentence=expectation_text(found),
        basis=found.basis,
        zone=found.zone,
        by=period.by if period else None,
        deadline=period.deadline if period else None,
        files=period.files if period else None,
        usual=period.usual if period else None,
        least=period.least if period else None,
        most=period.most if period else None,
        arrived=found.arrived,
        overdue_since=found.gap.since if found.gap else None,
    )


def open_window_of(pipeline: str, windows: Iterable[UnfinishedWindow]) -> UnfinishedWindow | None:
    """The pipeline's open window among all that are unfinished."""
    return next((each for each in windows if each.window.pipeline == pipeline and not each.closed), None)


def history_of(pipeline: str, services: Services, since: datetime, *, window: UnfinishedWindow | None) -> History:
    """What came since then, by the ledger and the open window."""
    history = History(services.ledger.arrivals.counted(pipeline, since=since))
    return history if window is None else history.with_file(window.opened_at)


def _day_view(day: CalendarDay) -> CalendarDayView:
    return CalendarDayView(
        day=day.day, files=day.files, expected=day.expected, missing=day.missing, awaited=day.awaited
    )


def _expecting(pipeline: str, services: Services) -> Expecting:
    try:
        return services.pipelines.get(pipeline).expecting
    except PermanentError:  # removed or broken: nobody waits for its data
        return Expecting(every=Every.NONE)
