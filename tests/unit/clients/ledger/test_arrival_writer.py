from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clients.ledger import Ledger
from shared.clients.ledger.windows import STARTUP_GRACE
from shared.messages import ArrivalWindow, Verdict, WindowState
from shared.pipelines import Settle
from tests.support.ledger_arrivals import PIPELINE, a_repeat_of, a_twin_of, at, join, join_all, opened, verdicts
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

SETTLE = Settle(quiet_seconds=5, longest_wait_seconds=60, least_files=3, least_bytes=None)


def _state(ledger: Ledger, window: ArrivalWindow) -> WindowState:
    return ledger.arrivals.window_state(window, settle=SETTLE)


def _raise(when: bool) -> None:
    if when:
        raise ConnectionError


class TestRepeats:
    def test_a_redelivered_event_is_the_same_row(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        redelivered = join(ledger.arrivals, PIPELINE, a_repeat_of(at(0), 4))

        assert (redelivered.window_id, redelivered.new, redelivered.start) == (window.window_id, False, None)
        assert _state(ledger, window).arrivals == 1
        assert _state(ledger, window).last_arrival_at == START
        assert len(verdicts(ledger)) == 1

    @pytest.mark.parametrize("remembered", [True, False])
    def test_a_redelivery_after_the_close_opens_no_window(self, tables: MemoryTables, remembered: bool) -> None:
        ledger = Ledger.over(tables)
        window = opened(ledger, at(0))
        ledger.arrivals.close_window(window)

        redelivered = join((ledger if remembered else Ledger.over(tables)).arrivals, PIPELINE, a_repeat_of(at(0), 4))

        assert (redelivered.window_id, redelivered.new, redelivered.start) == (window.window_id, False, None)
        assert [found.closed for found in ledger.arrivals.unfinished_windows()] == [True]

    @pytest.mark.parametrize("remembered", [True, False])
    @pytest.mark.parametrize("closed", [True, False])
    def test_another_event_about_the_same_version_is_a_duplicate(
        self, tables: MemoryTables, remembered: bool, closed: bool
    ) -> None:
        ledger = Ledger.over(tables)
        window = opened(ledger, at(0, "one"))
        if closed:
            ledger.arrivals.close_window(window)
        other = ledger if remembered else Ledger.over(tables)

        twins = [join(other.arrivals, PIPELINE, a_twin_of(at(0, "one"), "two", 3)) for _ in range(2)]

        assert [(twin.window_id, twin.new, twin.start) for twin in twins] == [(None, True, None), (None, False, None)]
        [duplicate, first] = ledger.arrivals.list_arrivals(PIPELINE).items
        assert (duplicate.verdict, duplicate.reason) == (Verdict.DUPLICATE, "duplicate of an event seen 3 s earlier")
        assert (first.verdict, first.window_id) == (Verdict.JOINED, window.window_id)
        assert _state(ledger, window).arrivals == 1
        assert _state(ledger, window).last_arrival_at == START

    def test_a_new_version_of_a_blob_is_no_duplicate(self, ledger: Ledger) -> None:
        opened(ledger, at(0, "one"))
        assert join(ledger.arrivals, PIPELINE, replace(at(0, "one"), event_id="two", etag="0x8D2")).window_id

    def test_nor_is_one_in_another_account_or_container(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0, "one"))
        one = at(0, "one")
        for other in (replace(one, event_id="two", account="other"), replace(one, event_id="two", container="other")):
            assert join(ledger.arrivals, PIPELINE, other).window_id == window.window_id

    def test_without_an_etag_every_event_is_a_version_of_its_own(self, ledger: Ledger) -> None:
        one = replace(at(0, "one"), etag="")
        window = opened(ledger, one)
        two = join(ledger.arrivals, PIPELINE, a_twin_of(one, "two", 1))
        redelivered = join(ledger.arrivals, PIPELINE, a_repeat_of(one, 2))

        assert (two.window_id, two.new) == (window.window_id, True)
        assert (redelivered.window_id, redelivered.new) == (window.window_id, False)

    def test_what_was_duplicate_stays_so_when_delivered_first_by_another_host(self, tables: MemoryTables) -> None:
        one, two = at(0, "one"), a_twin_of(at(0, "one"), "two", 3)
        hosts = [Ledger.over(tables) for _ in range(3)]
        for host, order in zip(hosts, ([one, two], [two, one], [two, one, two]), strict=True):
            for arrival in order:
                join(host.arrivals, PIPELINE, arrival)
        assert verdicts(hosts[0]) == [("two", Verdict.DUPLICATE), ("one", Verdict.JOINED)]


class TestGroups:
    def test_many_join_in_few_requests(self, tables: MemoryTables, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        before = tables.tables["arrivals"].requests + tables.tables["claims"].requests

        joined = ledger.arrivals.join_windows(PIPELINE, [(at(n), n == 7) for n in range(1, 90)])

        assert tables.tables["arrivals"].requests + tables.tables["claims"].requests - before <= 3
        assert {(entry.window_id, entry.new, entry.start) for entry in joined} == {(window.window_id, True, None)}
        state = _state(ledger, window)
        assert (state.arrivals, state.marked, state.size) == (89, True, 89 * 1234)
        assert state.last_arrival_at == START + timedelta(seconds=89)

    def test_one_of_them_opens_the_window(self, ledger: Ledger) -> None:
        joined = ledger.arrivals.join_windows(PIPELINE, [(at(n), False) for n in range(5)])

        assert [entry.start is not None for entry in joined] == [True, False, False, False, False]
        assert len({entry.window_id for entry in joined}) == 1

    def test_ten_thousand_files_that_land_at_once_are_one_window(self, ledger: Ledger) -> None:
        groups = [[at(0, f"event-{group * 100 + n}") for n in range(100)] for group in range(100)]
        joined = [entry for group in groups for entry in join_all(ledger, group)]

        assert len({entry.window_id for entry in joined}) == 1
        [start] = {entry.start.window_id: entry.start for entry in joined if entry.start}.values()
        assert _state(ledger, start).arrivals == 10_000

    def test_what_is_known_does_not_open_it(self, tables: MemoryTables) -> None:
        window = opened(Ledger.over(tables), at(0, "one"))
        ledger = Ledger.over(tables)
        ledger.arrivals.close_window(window)
        known = [a_repeat_of(at(0, "one"), 1), a_twin_of(at(0, "one"), "two", 1)]

        assert [entry.start for entry in join_all(ledger, known)] == [None, None]
        joined = join_all(ledger, [*known, at(5), at(6)])

        assert [entry.new for entry in joined] == [False, False, True, True]
        assert [entry.start is not None for entry in joined] == [False, False, True, False]
        assert joined[0].window_id == window.window_id
        assert joined[1].window_id is None
        assert joined[2].window_id == joined[3].window_id != window.window_id

    def test_of_repeats_within_a_group_one_joins(self, ledger: Ledger) -> None:
        one = at(0, "one")
        joined = join_all(ledger, [one, one, a_twin_of(one, "two", 0.5), a_twin_of(one, "two", 1), at(1)])

        assert [entry.new for entry in joined] == [True, True, True, True, True]
        assert [entry.window_id is None for entry in joined] == [False, False, True, True, False]
        assert sorted(verdicts(ledger)) == [
            ("event-1", Verdict.JOINED),
            ("one", Verdict.JOINED),
            ("two", Verdict.DUPLICATE),
        ]

    def test_an_id_that_was_used_for_two_blobs_is_two_arrivals(self, ledger: Ledger) -> None:
        joined = join_all(ledger, [at(0, "one"), at(0, "one", blob="landing/other.csv")])

        assert [entry.new for entry in joined] == [True, True]
        assert len(verdicts(ledger)) == 2

    def test_what_another_host_recorded_meanwhile_is_found_out(self, tables: MemoryTables) -> None:
        first, second = Ledger.over(tables), Ledger.over(tables)
        window = opened(first, at(0))
        seen = [at(n) for n in range(1, 40)]
        join_all(first, seen[::3])

        joined = join_all(second, [*seen, a_twin_of(seen[0], "twin", 9)])

        assert [entry.new for entry in joined] == [n % 3 != 0 for n in range(39)] + [True]
        assert {entry.window_id for entry in joined[:-1]} == {window.window_id}
        assert joined[-1].window_id is None
        assert _state(first, window).arrivals == 40

    def test_long_names_need_more_rows_but_no_more_thought(self, ledger: Ledger) -> None:
        name = "landing/" + "\U0001f600" * 1000
        long = [(at(n, blob=f"{name}{n}"), False) for n in range(60)]
        joined = ledger.arrivals.join_windows(PIPELINE, long)

        assert {entry.new for entry in joined} == {True}
        assert joined[0].start is not None
        assert _state(ledger, joined[0].start).arrivals == 60
        assert len(ledger.arrivals.list_arrivals(PIPELINE).items) == 60


class TestDeadOpeners:
    def test_the_redelivery_of_its_event_starts_the_window(self, ledger: Ledger) -> None:
        opened = join(ledger.arrivals, PIPELINE, at(0)).start  # and then the host is killed

        assert opened is not None
        assert join(ledger.arrivals, PIPELINE, a_repeat_of(at(0), 1)).start == opened

    def test_a_later_arrival_starts_it_when_it_is_late(self, ledger: Ledger) -> None:
        opened = join(ledger.arrivals, PIPELINE, at(0)).start
        late = STARTUP_GRACE.total_seconds() + 1

        assert join(ledger.arrivals, PIPELINE, at(1)).start is None
        starts = [entry.start for entry in join_all(ledger, [at(late), at(late + 1)])]
        assert starts == [opened, None]

    def test_killed_before_its_row_was_written_it_joins_when_redelivered(self, tables: MemoryTables) -> None:
        tables.table("arrivals").before = lambda operation: _raise(operation == "transact")
        with pytest.raises(ConnectionError):
            join(Ledger.over(tables).arrivals, PIPELINE, at(0))
        tables.table("arrivals").before = lambda _: None

        ledger = Ledger.over(tables)
        [left] = ledger.arrivals.unfinished_windows()
        redelivered = join(ledger.arrivals, PIPELINE, a_repeat_of(at(0), 1))

        assert (redelivered.start, redelivered.window_id, redelivered.new) == (left.window, left.window.window_id, True)

    def test_a_twin_that_came_first_leaves_the_start_to_the_opener(self, tables: MemoryTables) -> None:
        tables.table("arrivals").before = lambda operation: _raise(operation == "transact")
        with pytest.raises(ConnectionError):
            join(Ledger.over(tables).arrivals, PIPELINE, at(0, "one"))
        tables.table("arrivals").before = lambda _: None
        ledger = Ledger.over(tables)

        twin = join(ledger.arrivals, PIPELINE, a_twin_of(at(0, "one"), "two", 1))
        redelivered = join(ledger.arrivals, PIPELINE, a_repeat_of(at(0, "one"), 2))

        assert (twin.new, twin.start) == (True, None)
        assert redelivered.window_id is None
        assert redelivered.start is not None
        assert redelivered.start.window_id == twin.window_id
