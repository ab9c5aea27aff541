"""Overdue data in the reconciler: noticed once, kept while they are overdue, announced once for each gap, cleared."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace

import pytest

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.overdue import watch_for_overdue
from function_app.reconciler.troubles import record_troubles
from shared.decisions.arrivals.day_counts import HISTORY
from shared.decisions.reconciliation.troubles import Aspect, Finding, blocking_text
from shared.errors import TransientError
from shared.messages import Actor, ActorKind, ObservedChange, OverdueData, Rest, Retirement, Trouble, TroubleKind
from tests.support.arrivals import an_arrival
from tests.support.ledger_arrivals import join
from tests.support.reconciler import PIPELINE, WatchedWorld

MORNING = datetime(2026, 5, 4, 5, tzinfo=UTC)  # a Monday
EXPECT = {"every": "day", "by": "06:00"}
_NUMBERS = count()


class Overdue:
    """A world in which a file is expected by six, with an hour of grace; a cycle is what the reconciler does of it."""

    def __init__(self, world: WatchedWorld) -> None:
        self.world = world
        self.announced: list[OverdueData] = []
        self.silent: list[Finding] = []
        world.has_pipeline(PIPELINE, expect=EXPECT)
        world.services.__dict__["announcements"] = SimpleNamespace(publish_overdue=self.announced.append)
        world.now = MORNING
        self.cycle()

    def cycle(self, at: timedelta = timedelta()) -> list[Trouble]:
        """A cycle so long after that morning; the troubles that it leaves."""
        self.world.now = MORNING + at

        async def both(context: CycleContext) -> None:
            context.add_findings(PIPELINE, Aspect.DATA, self.silent)
            context.retired = self.retired
            windows = self.world.ledger.arrivals.unfinished_windows()
            await watch_for_overdue(context, windows)
            await record_troubles(context)
            assert context.failed == 0 or self.fails

        self.world.cycle(both)
        return [each for each in self.world.ledger.troubles.of(PIPELINE) if each.kind is TroubleKind.OVERDUE]

    fails = False
    retired: frozenset[str] = frozenset()  # as the cycle has read it

    def retires(self, at: timedelta) -> None:
        mark = Retirement(pipeline=PIPELINE, by=Actor(kind=ActorKind.KEY, name="a"), reason="r", at=MORNING + at)
        self.world.ledger.actions.retire(mark)
        self.retired = frozenset({PIPELINE})

    def reinstates(self) -> None:
        self.world.ledger.actions.reinstate(PIPELINE)
        self.retired = frozenset()

    def arrives(self, at: timedelta) -> None:
        when, number = MORNING + at, next(_NUMBERS)
        blob = f"landing/{number}.csv"
        names = {"event_id": f"e{number}", "blob": blob, "etag": f"0x{number}"}
        join(self.world.ledger.arrivals, PIPELINE, an_arrival(**names, occurred_at=when, received_at=when))

    def restarts(self) -> None:
        """The app is started again: another process, which remembers nothing."""
        self.world.services.__dict__.pop("watches", None)

    @contextmanager
    def requests(self, most: int) -> Iterator[None]:
        tables = self.world.ledger._tables.tables.values()  # type: ignore[attr-defined]
        before = sum(table.requests for table in tables)
        yield
        asked = sum(table.requests for table in tables) - before
        assert asked <= most, f"{asked} requests"


@pytest.fixture
def overdue(world: WatchedWorld) -> Overdue:
    return Overdue(world)


HOUR, DAY, MINUTES = timedelta(hours=1), timedelta(days=1), timedelta(minutes=2)


def test_data_that_do_not_come_are_told_once_and_kept_until_they_do(overdue: Overdue) -> None:
    assert overdue.cycle(DAY + 2 * HOUR - MINUTES) == []
    troubles = overdue.cycle(DAY + 2 * HOUR)
    assert [trouble.cause for trouble in troubles] == [
        "a file was expected by 2026-05-05 06:00 (UTC), and none has come"
    ]
    for number in range(1, 40):  # also over the next deadlines
        assert overdue.cycle(DAY + 2 * HOUR + number * 4 * HOUR) == troubles
    assert [event.gap.since for event in overdue.announced] == [MORNING + DAY + 2 * HOUR]

    overdue.arrives(9 * DAY + HOUR)
    assert overdue.cycle(9 * DAY + HOUR + MINUTES) == []
    assert len(overdue.announced) == 1


def test_each_gap_is_announced(overdue: Overdue) -> None:
    for days in (1, 5):
        overdue.cycle(days * DAY + 3 * HOUR)
        overdue.arrives(days * DAY + 4 * HOUR)
        assert overdue.cycle(days * DAY + 4 * HOUR + MINUTES) == []
        for later in range(1, 4):
            overdue.arrives((days + later) * DAY)
    assert [event.gap.since for event in overdue.announced] == [MORNING + days * DAY + 2 * HOUR for days in (1, 5)]


def test_a_gap_is_another_one_when_data_came_while_nobody_looked(overdue: Overdue) -> None:
    overdue.cycle(DAY + 3 * HOUR)
    overdue.arrives(2 * DAY)  # and then not on the third day
    assert len(overdue.cycle(3 * DAY + 3 * HOUR)) == 1
    assert len(overdue.announced) == 2


def test_nothing_is_asked_of_the_ledger_while_nothing_can_be_overdue(overdue: Overdue) -> None:
    overdue.arrives(timedelta())
    overdue.cycle(2 * HOUR)  # the deadline
    for minutes in range(2, 60 * 24 - 2, 30):
        # The windows, what is wrong, and what this test reads of it: nothing more.
        with overdue.requests(most=3):
            overdue.cycle(2 * HOUR + timedelta(minutes=minutes))


def test_a_cycle_asks_little_while_data_are_overdue(overdue: Overdue) -> None:
    overdue.cycle(DAY + 3 * HOUR)
    with overdue.requests(most=5):
        overdue.cycle(DAY + 4 * HOUR)


def test_another_process_goes_on_and_announces_nothing_again(overdue: Overdue) -> None:
    troubles = overdue.cycle(DAY + 3 * HOUR)
    overdue.restarts()
    assert overdue.cycle(DAY + 3 * HOUR + MINUTES) == troubles
    assert len(overdue.announced) == 1


def test_an_announcement_that_fails_is_made_by_a_later_cycle(overdue: Overdue) -> None:
    def fail(_event: OverdueData) -> None:
        raise TransientError("Event Grid does not answer")

    overdue.fails = True
    overdue.world.services.announcements.publish_overdue = fail  # type: ignore[assignment]
    troubles = overdue.cycle(DAY + 3 * HOUR)
    assert len(troubles) == 1
    overdue.world.services.announcements.publish_overdue = overdue.announced.append  # type: ignore[assignment]
    assert overdue.cycle(DAY + 3 * HOUR + MINUTES) == troubles
    assert overdue.cycle(DAY + 3 * HOUR + 2 * MINUTES) == troubles
    assert len(overdue.announced) == 1


def test_while_the_hub_does_not_answer_that_is_told_and_no_gap(overdue: Overdue) -> None:
    overdue.silent = [Finding(TroubleKind.UNREACHABLE, "no answer")]
    assert overdue.cycle(DAY + 3 * HOUR) == []
    overdue.silent = []
    assert len(overdue.cycle(DAY + 3 * HOUR + MINUTES)) == 1


def test_what_a_listing_has_shown_is_no_gap_though_no_event_came(overdue: Overdue) -> None:
    at = MORNING + DAY
    window = overdue.world.ledger.arrivals.open_window(PIPELINE, at=at, change=ObservedChange(files=2, size=1))
    assert window is not None
    assert overdue.cycle(DAY + 3 * HOUR) == []
    overdue.world.ledger.arrivals.close_window(window)
    assert overdue.cycle(DAY + 4 * HOUR) == []


def test_a_file_that_says_none_ends_it(overdue: Overdue) -> None:
    assert len(overdue.cycle(DAY + 3 * HOUR)) == 1
    overdue.world.has_pipeline(PIPELINE, expect="none")
    assert overdue.cycle(DAY + 3 * HOUR + MINUTES) == []


def test_a_removed_file_ends_it(overdue: Overdue) -> None:
    assert len(overdue.cycle(DAY + 3 * HOUR)) == 1
    overdue.world.has_file(PIPELINE, None)
    assert overdue.cycle(DAY + 3 * HOUR + MINUTES) == []


def test_it_does_not_keep_a_pipeline_from_training(overdue: Overdue) -> None:
    assert blocking_text(overdue.cycle(DAY + 3 * HOUR)) == ""


def test_without_a_word_in_the_file_the_history_says_what_is_expected(overdue: Overdue) -> None:
    overdue.world.has_pipeline(PIPELINE)
    for days in range(60):
        overdue.arrives(days * DAY)
        assert overdue.cycle(days * DAY + MINUTES) == []
    deadline = 60 * DAY + timedelta(minutes=15) + HOUR
    assert overdue.cycle(deadline - MINUTES) == []
    assert len(overdue.cycle(deadline)) == 1
    assert [event.basis for event in overdue.announced] == ["forecast"]


def test_a_forecast_that_is_shown_is_known_for_today_also_while_a_gap_lasts_for_long(overdue: Overdue) -> None:
    overdue.world.has_pipeline(PIPELINE)
    for days in range(60):
        overdue.arrives(days * DAY)
        overdue.cycle(days * DAY + MINUTES)
    for days in range(60, 400, 5):
        troubles = overdue.cycle(days * DAY + 4 * HOUR)
        watch = overdue.world.ledger.expectations.of(PIPELINE)
        assert watch is not None
        assert watch.near is not None
        if days < 75:
            assert MORNING + days * DAY - 5 * HOUR in {each.start for each in watch.near}
    assert [each.cause for each in troubles] == ["a file was expected by 2026-07-03 05:15 (UTC), and none has come"]
    assert len(overdue.announced) == 1, "also when the habit is no longer in what is counted"


def test_what_an_earlier_version_kept_is_looked_at_once(overdue: Overdue) -> None:
    overdue.arrives(timedelta())
    overdue.cycle(2 * HOUR)
    watch = overdue.world.ledger.expectations.of(PIPELINE)
    assert watch is not None
    overdue.world.ledger.expectations.keep(PIPELINE, replace(watch, near=None))
    overdue.restarts()
    overdue.cycle(3 * HOUR)
    assert overdue.world.ledger.expectations.of(PIPELINE) == watch


class TestNobodyWaits:
    """For the data of a pipeline that is retired or has no file."""

    def test_from_its_retirement_on_nothing_is_overdue_and_after_it_everything_begins_anew(
        self, overdue: Overdue
    ) -> None:
        assert len(overdue.cycle(DAY + 3 * HOUR)) == 1
        overdue.retires(DAY + 4 * HOUR)
        for days in range(2, 20):
            assert overdue.cycle(days * DAY + 3 * HOUR) == []
        overdue.reinstates()
        assert overdue.cycle(20 * DAY + 3 * HOUR) == []
        assert overdue.cycle(21 * DAY + 2 * HOUR - MINUTES) == []
        assert len(overdue.cycle(21 * DAY + 2 * HOUR)) == 1
        assert [event.gap.since - MORNING for event in overdue.announced] == [days * DAY + 2 * HOUR for days in (1, 21)]

    def test_another_process_that_remembers_the_time_before_knows_it_too(self, overdue: Overdue) -> None:
        overdue.cycle(DAY + 3 * HOUR)
        remembered = dict(overdue.world.services.watches)
        overdue.retires(DAY + 4 * HOUR)
        overdue.cycle(2 * DAY)
        overdue.world.services.__dict__["watches"] = dict(remembered)
        assert overdue.cycle(3 * DAY + 3 * HOUR) == []
        overdue.reinstates()
        overdue.cycle(20 * DAY + 3 * HOUR)
        overdue.world.services.__dict__["watches"] = dict(remembered)
        assert overdue.cycle(20 * DAY + 4 * HOUR) == []
        assert len(overdue.announced) == 1

    def test_one_that_was_retired_before_anybody_watched_it_is_noted_too(self, overdue: Overdue) -> None:
        overdue.arrives(-DAY)
        overdue.world.ledger.expectations.forget(PIPELINE)
        overdue.restarts()
        overdue.retires(timedelta())
        overdue.cycle(10 * DAY)
        overdue.reinstates()
        assert overdue.cycle(20 * DAY + 3 * HOUR) == []

    def test_a_retirement_that_is_taken_back_at_once_is_none(self, overdue: Overdue) -> None:
        troubles = overdue.cycle(DAY + 3 * HOUR)
        overdue.retires(DAY + 3 * HOUR + MINUTES)
        assert overdue.cycle(DAY + 3 * HOUR + MINUTES) == []
        overdue.reinstates()
        again = overdue.cycle(DAY + 3 * HOUR + 2 * MINUTES)
        assert [each.cause for each in again] == [each.cause for each in troubles]
        assert len(overdue.announced) == 1

    def test_while_retirements_cannot_be_read_nobody_waits_again(self, overdue: Overdue) -> None:
        overdue.retires(HOUR)
        overdue.cycle(2 * HOUR)
        overdue.retired = frozenset()
        assert overdue.cycle(5 * DAY) == []
        watch = overdue.world.ledger.expectations.of(PIPELINE)
        assert watch is not None
        assert watch.rests == (Rest(since=MORNING + HOUR),)

    def test_a_retired_pipeline_costs_no_request(self, overdue: Overdue) -> None:
        overdue.retires(HOUR)
        overdue.cycle(2 * HOUR)
        with overdue.requests(most=3):
            overdue.cycle(5 * DAY)

    def test_a_habit_is_still_known_after_a_retirement(self, overdue: Overdue) -> None:
        overdue.world.has_pipeline(PIPELINE)
        for days in range(60):
            overdue.arrives(days * DAY)
            overdue.cycle(days * DAY + MINUTES)
        overdue.retires(60 * DAY - HOUR)
        overdue.cycle(60 * DAY)
        overdue.reinstates()
        assert overdue.cycle(80 * DAY) == []
        assert len(overdue.cycle(81 * DAY + 2 * HOUR)) == 1
        assert [event.gap.start - MORNING + 5 * HOUR for event in overdue.announced] == [81 * DAY]

    def test_a_removed_pipeline_that_is_made_anew_begins_anew(self, overdue: Overdue) -> None:
        overdue.arrives(timedelta())
        overdue.cycle(DAY)
        overdue.world.has_file(PIPELINE, None)
        assert overdue.cycle(2 * DAY) == []
        overdue.restarts()
        assert overdue.cycle(3 * DAY) == []
        overdue.world.has_pipeline(PIPELINE, expect=EXPECT)
        overdue.restarts()
        assert overdue.cycle(30 * DAY + 3 * HOUR) == []
        assert len(overdue.cycle(31 * DAY + 3 * HOUR)) == 1

    def test_what_is_known_of_a_removed_pipeline_goes_when_its_counts_do(self, overdue: Overdue) -> None:
        overdue.world.has_file(PIPELINE, None)
        overdue.cycle(DAY)
        overdue.cycle(DAY + HISTORY)
        assert overdue.world.ledger.expectations.of(PIPELINE) is not None
        overdue.cycle(DAY + HISTORY + MINUTES)
        assert overdue.world.ledger.expectations.all() == {}
        with overdue.requests(most=3):
            overdue.cycle(2 * DAY + HISTORY)

    def test_a_file_that_is_broken_for_a_while_stops_nothing(self, overdue: Overdue) -> None:
        overdue.cycle(DAY + 3 * HOUR)
        overdue.world.has_file(PIPELINE, "name: [")
        assert overdue.cycle(DAY + 4 * HOUR) == []
        overdue.world.has_pipeline(PIPELINE, expect=EXPECT)
        assert len(overdue.cycle(DAY + 5 * HOUR)) == 1
        assert len(overdue.announced) == 1
