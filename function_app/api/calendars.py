"""The days on which data came for a pipeline, and those on which they were expected in vain."""

from dataclasses import asdict
from datetime import UTC, datetime

from function_app.api.expected_models import Calendar, CalendarDayView, CalendarQuery, ExpectedView
from function_app.api.known_pipelines import name_of
from function_app.composition import Services
from shared.decisions.arrivals.day_counts import HISTORY, History
from shared.decisions.arrivals.overdue import calendar, expectation
from shared.decisions.explanations.expectation_text import expectation_text
from shared.errors import PermanentError
from shared.messages import Every, Expecting, Watch
from shared.pipelines import Pipeline


def get_calendar(name: str, query: CalendarQuery, services: Services) -> Calendar:
    """The calendar. Three requests to the ledger, however much has arrived."""
    pipeline, now = name_of(name, services), datetime.now(UTC)
    expecting = _expecting(pipeline, services)
    sighted = [
        found.opened_at
        for found in services.ledger.arrivals.unfinished_windows()
        if found.window.pipeline == pipeline and not found.closed
    ]
    history = history_of(pipeline, services, now, sighted=max(sighted, default=None))
    watch = services.ledger.expectations.of(pipeline)
    since = watch.since if watch else None
    days = calendar(expecting, history, now, since=since, days=query.weeks * 7)
    return Calendar(
        pipeline=pipeline,
        zone=expecting.zone,
        basis=expectation(expecting, history, now, since=since).basis,
        complete=watch is not None and watch.backfill.done,
        days=tuple(CalendarDayView(**asdict(each)) for each in days),
    )


def expected_view(pipeline: Pipeline, services: Services, *, sighted: datetime | None) -> ExpectedView | None:
    """What is expected now; None for a retired pipeline, which waits for nothing. Three requests to the ledger.

    ``sighted``: when its open window was opened, whose files may not be counted yet.
    """
    if services.ledger.actions.retirement(pipeline.name) is not None:
        return None
    now = datetime.now(UTC)
    watch = services.ledger.expectations.of(pipeline.name)
    return expected_now(pipeline, history_of(pipeline.name, services, now, sighted=sighted), watch, now)


def expected_now(pipeline: Pipeline, history: History, watch: Watch | None, now: datetime) -> ExpectedView:
    """The same by what is known of it already."""
    found = expectation(pipeline.expecting, history, now, since=watch.since if watch else None)
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


def history_of(pipeline: str, services: Services, now: datetime, *, sighted: datetime | None) -> History:
    """What came, by the ledger and the open window."""
    history = History(services.ledger.arrivals.counted(pipeline, since=now - HISTORY))
    return history if sighted is None else history.with_file(sighted)


def _expecting(pipeline: str, services: Services) -> Expecting:
    try:
        return services.pipelines.get(pipeline).expecting
    except PermanentError:  # removed or broken: nobody waits for its data
        return Expecting(every=Every.NONE)
