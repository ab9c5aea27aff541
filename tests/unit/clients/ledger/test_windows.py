from datetime import timedelta

from shared.clients.ledger import Ledger, UnfinishedWindow
from shared.messages import ArrivalWindow, ObservedChange, WindowState
from shared.pipelines import Settle
from tests.support.ledger_arrivals import PIPELINE, at, join, join_all, opened, verdict_on
from tests.support.workflow import START

SETTLE = Settle(quiet_seconds=5, longest_wait_seconds=60, least_files=3, least_bytes=None)


def _state(ledger: Ledger, window: ArrivalWindow) -> WindowState:
    return ledger.arrivals.window_state(window, settle=SETTLE)


def _unfinished(ledger: Ledger) -> dict[str, UnfinishedWindow]:
    return {found.window.window_id: found for found in ledger.arrivals.unfinished_windows()}


class TestWindows:
    def test_the_first_arrival_opens_one_and_later_ones_join_it(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        later = join(ledger.arrivals, PIPELINE, at(3, size=-1))

        assert (later.window_id, later.new, later.start) == (window.window_id, True, None)
        state = _state(ledger, window)
        assert (state.opened_at, state.last_arrival_at) == (START, START + timedelta(seconds=3))
        assert (state.arrivals, state.size, state.marked) == (2, 1234, False)
        assert (state.quiet_seconds, state.longest_wait_seconds) == (5, 60)
        assert (state.least_files, state.least_bytes) == (3, None)

    def test_an_older_arrival_never_moves_the_last_one_back(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        join(ledger.arrivals, PIPELINE, at(9))
        join(ledger.arrivals, PIPELINE, at(4))

        assert _state(ledger, window).last_arrival_at == START + timedelta(seconds=9)

    def test_a_late_event_counts_though_it_occurred_long_before(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        join(ledger.arrivals, PIPELINE, at(0, "late", occurred_at=START - timedelta(hours=20)))

        assert _state(ledger, window).arrivals == 2

    def test_after_the_close_the_next_arrival_opens_another(self, ledger: Ledger) -> None:
        first = opened(ledger, at(0))
        ledger.arrivals.close_window(first)
        second = opened(ledger, at(1))

        assert second.window_id != first.window_id
        ledger.arrivals.close_window(first)  # a repeat must not take the new window away
        assert join(ledger.arrivals, PIPELINE, at(2)).window_id == second.window_id
        assert _state(ledger, first).arrivals == 1
        assert _state(ledger, first).last_arrival_at == START

    def test_pipelines_have_windows_of_their_own(self, ledger: Ledger) -> None:
        opened(ledger, at(0))
        assert join(ledger.arrivals, "digits", at(0)).start is not None

    def test_the_done_marker_marks_its_window_and_is_no_file(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        join(ledger.arrivals, PIPELINE, at(1, size=0), marked=True)

        state = _state(ledger, window)
        assert (state.arrivals, state.size, state.marked) == (1, 1234, True)
        assert state.last_arrival_at == START + timedelta(seconds=1)

    def test_a_size_beyond_the_tables_numbers_is_counted(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0, size=2**60))
        join(ledger.arrivals, PIPELINE, at(1, size=2**60))
        assert _state(ledger, window).size == 2**61

    def test_it_is_unfinished_until_it_is_judged(self, ledger: Ledger) -> None:
        arrivals = ledger.arrivals
        window = join(arrivals, PIPELINE, at(0)).start
        other = join(arrivals, "digits", at(0)).start
        assert window is not None
        assert other is not None
        assert _unfinished(ledger) == {
            window.window_id: UnfinishedWindow(window, started=False, closed=False),
            other.window_id: UnfinishedWindow(other, started=False, closed=False),
        }

        arrivals.window_started(window)
        assert _unfinished(ledger)[window.window_id] == UnfinishedWindow(window, started=True, closed=False)
        arrivals.close_window(window)
        assert _unfinished(ledger)[window.window_id] == UnfinishedWindow(window, started=True, closed=True)
        assert _unfinished(ledger)[window.window_id].opened_at == START
        arrivals.record_verdict(verdict_on(window))
        arrivals.record_verdict(verdict_on(window))
        assert set(_unfinished(ledger)) == {other.window_id}


class TestSightings:
    def test_one_opens_a_window_when_none_is_open(self, ledger: Ledger) -> None:
        seen = ObservedChange(files=3, size=99, marked=True)
        window = ledger.arrivals.open_window(PIPELINE, at=START, change=seen)

        assert window is not None
        assert [found.started for found in ledger.arrivals.unfinished_windows()] == [False]
        state = _state(ledger, window)
        assert (state.arrivals, state.size, state.marked, state.last_arrival_at) == (3, 99, True, START)

    def test_the_window_that_is_open_is_notified(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        later = START + timedelta(seconds=30)

        assert ledger.arrivals.open_window(PIPELINE, at=later, change=ObservedChange(files=2, size=1)) is None

        state = _state(ledger, window)
        assert (state.arrivals, state.size, state.last_arrival_at) == (2, 1234, later)
        assert _state(ledger, window).opened_at == START

    def test_only_what_is_new_in_it_puts_off_the_close(self, ledger: Ledger) -> None:
        seen = ObservedChange(files=2, size=5, marked=True)
        window = ledger.arrivals.open_window(PIPELINE, at=START, change=seen)
        assert window is not None
        moments = [START + timedelta(minutes=n) for n in (1, 2)]

        assert ledger.arrivals.open_window(PIPELINE, at=moments[0], change=seen) is None
        assert _state(ledger, window).last_arrival_at == START
        assert ledger.arrivals.open_window(PIPELINE, at=moments[1], change=ObservedChange(files=3, size=5)) is None
        state = _state(ledger, window)
        assert (state.last_arrival_at, state.arrivals, state.marked) == (moments[1], 3, True)

    def test_the_larger_of_observed_change_and_events_counts(self, ledger: Ledger) -> None:
        window = ledger.arrivals.open_window(PIPELINE, at=START, change=ObservedChange(files=1, size=9999))
        assert window is not None
        join_all(ledger, [at(1), at(2)])

        state = _state(ledger, window)
        assert (state.arrivals, state.size) == (2, 9999)

    def test_no_event_starts_what_an_observed_change_opened_until_it_is_late(self, ledger: Ledger) -> None:
        window = ledger.arrivals.open_window(PIPELINE, at=START, change=ObservedChange(files=1, size=1))

        assert join(ledger.arrivals, PIPELINE, at(1)).start is None
        assert join(ledger.arrivals, PIPELINE, at(11)).start == window
