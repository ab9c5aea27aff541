from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from shared.clients.ledger import Ledger
from shared.clients.ledger.arrivals import STARTUP_GRACE
from shared.messages import Arrival, ArrivalWindow, Verdict, WindowState, WindowVerdict
from tests.support.arrivals import an_arrival
from tests.support.workflow import START

PIPELINE = "breast-cancer"


def _at(seconds: float, event: str = "") -> Arrival:
    moment = START + timedelta(seconds=seconds)
    return an_arrival(event_id=event or f"event-{seconds}", occurred_at=moment, received_at=moment)


def _opened(ledger: Ledger, arrival: Arrival) -> ArrivalWindow:
    start = ledger.arrivals.join_window(PIPELINE, arrival).start
    assert start is not None
    ledger.arrivals.window_started(start)
    return start


def _state(ledger: Ledger, window: ArrivalWindow) -> WindowState:
    return ledger.arrivals.window_state(window, quiet_seconds=5, longest_wait_seconds=60)


def _verdict(window: ArrivalWindow) -> WindowVerdict:
    return WindowVerdict(
        window_id=window.window_id, pipeline=PIPELINE, verdict=Verdict.TRAINED, reason="trained in run r", run_id="r"
    )


def test_the_first_arrival_opens_a_window_and_later_ones_join_it(ledger: Ledger) -> None:
    window = _opened(ledger, _at(0))
    later = ledger.arrivals.join_window(PIPELINE, _at(3))

    assert (later.window_id, later.new, later.start) == (window.window_id, True, None)
    state = _state(ledger, window)
    assert (state.opened_at, state.last_arrival_at, state.arrivals) == (START, START + timedelta(seconds=3), 2)
    assert (state.quiet_seconds, state.longest_wait_seconds) == (5, 60)


def test_a_redelivered_event_is_the_same_row(ledger: Ledger) -> None:
    window = _opened(ledger, _at(0, "one"))
    again = ledger.arrivals.join_window(PIPELINE, _at(0, "one"))

    assert (again.window_id, again.new, again.start) == (window.window_id, False, None)
    assert _state(ledger, window).arrivals == 1


def test_a_redelivery_after_the_close_opens_no_window(ledger: Ledger) -> None:
    window = _opened(ledger, _at(0, "one"))
    ledger.arrivals.close_window(window)

    again = ledger.arrivals.join_window(PIPELINE, _at(0, "one"))

    assert (again.window_id, again.new, again.start) == (window.window_id, False, None)


def test_an_older_arrival_never_moves_the_last_one_back(ledger: Ledger) -> None:
    window = _opened(ledger, _at(0))
    ledger.arrivals.join_window(PIPELINE, _at(9))
    ledger.arrivals.join_window(PIPELINE, _at(4))

    assert _state(ledger, window).last_arrival_at == START + timedelta(seconds=9)


def test_a_late_event_counts_though_it_occurred_long_before(ledger: Ledger) -> None:
    window = _opened(ledger, _at(0))
    late = an_arrival(event_id="late", occurred_at=START - timedelta(hours=20), received_at=START)
    ledger.arrivals.join_window(PIPELINE, late)

    assert _state(ledger, window).arrivals == 2


def test_after_the_close_the_next_arrival_opens_another_window(ledger: Ledger) -> None:
    first = _opened(ledger, _at(0))
    ledger.arrivals.close_window(first)
    second = _opened(ledger, _at(1))

    assert second.window_id != first.window_id
    ledger.arrivals.close_window(first)  # a repeat must not take the new window away
    assert ledger.arrivals.join_window(PIPELINE, _at(2)).window_id == second.window_id
    assert _state(ledger, first).last_arrival_at == START


def test_pipelines_have_windows_of_their_own(ledger: Ledger) -> None:
    _opened(ledger, _at(0))
    assert ledger.arrivals.join_window("digits", _at(0)).start is not None


def test_a_window_whose_opener_died_is_started_by_the_redelivery_of_its_event(ledger: Ledger) -> None:
    opened = ledger.arrivals.join_window(PIPELINE, _at(0, "one")).start  # and then the host is killed
    soon = an_arrival(event_id="one", occurred_at=START, received_at=START + timedelta(seconds=1))

    assert ledger.arrivals.join_window(PIPELINE, soon).start == opened


def test_a_window_whose_opener_died_is_started_by_a_later_arrival(ledger: Ledger) -> None:
    opened = ledger.arrivals.join_window(PIPELINE, _at(0)).start

    assert ledger.arrivals.join_window(PIPELINE, _at(1)).start is None
    assert ledger.arrivals.join_window(PIPELINE, _at(STARTUP_GRACE.total_seconds() + 1)).start == opened


def test_an_arrival_whose_handler_died_before_it_joined_joins_when_redelivered(ledger: Ledger) -> None:
    first = _opened(ledger, _at(0, "one"))
    ledger.arrivals.close_window(first)
    # What a kill between the arrival's row and the claim leaves behind: a row without a window.
    rows = ledger.arrivals._arrivals
    [row] = rows.rows(PIPELINE, "a-", "a.")
    row.values["window"] = ""
    assert rows.update(row)

    again = ledger.arrivals.join_window(PIPELINE, _at(0, "one"))

    assert again.start is not None
    assert again.start.window_id != first.window_id
    assert _state(ledger, again.start).arrivals == 1


def test_a_burst_opens_one_window_and_loses_no_arrival(tables: str, prefix: str) -> None:
    ledgers = [Ledger(tables, prefix) for _ in range(4)]  # as many hosts
    arrivals = [_at(n / 100, f"event-{n % 60}") for n in range(60)] * 2  # every event twice
    with ThreadPoolExecutor(8) as pool:
        joined = list(
            pool.map(
                lambda n: ledgers[n % 4].arrivals.join_window(PIPELINE, arrivals[n]),
                range(len(arrivals)),
            )
        )

    assert len({join.window_id for join in joined}) == 1
    assert sum(join.new for join in joined) == 60
    [start] = {join.start.window_id: join.start for join in joined if join.start}.values()
    state = _state(ledgers[0], start)
    assert state.arrivals == 60
    assert START + timedelta(seconds=0.59) - state.last_arrival_at < timedelta(milliseconds=250)
    for ledger in ledgers:
        ledger.close()


def test_a_verdict_is_given_to_every_arrival_also_to_one_recorded_after_it(ledger: Ledger) -> None:
    window = _opened(ledger, _at(0))
    ledger.arrivals.join_window(PIPELINE, _at(1))
    pending = ledger.arrivals.list_arrivals(PIPELINE)
    assert [entry.verdict for entry in pending] == [Verdict.JOINED, Verdict.JOINED]

    ledger.arrivals.record_verdict(_verdict(window))
    ledger.arrivals.record_verdict(_verdict(window))
    ledger.arrivals.join_window(PIPELINE, _at(2))  # joined before the close, recorded late

    entries = ledger.arrivals.list_arrivals(PIPELINE)
    assert [entry.arrival.event_id for entry in entries] == ["event-2", "event-1", "event-0"]
    assert {(e.verdict, e.reason, e.run_id, e.window_id) for e in entries} == {
        (Verdict.TRAINED, "trained in run r", "r", window.window_id)
    }


def test_an_arrival_outside_is_kept_with_its_reason(ledger: Ledger) -> None:
    odd = an_arrival(event_id="/\\#?\x01é", blob="raw/\u2028é?.csv")

    assert ledger.arrivals.record_outside(odd, "outside every pipeline")
    assert not ledger.arrivals.record_outside(odd, "outside every pipeline")

    [entry] = ledger.arrivals.list_arrivals(None)
    assert (entry.arrival, entry.verdict, entry.reason) == (odd, Verdict.OUTSIDE, "outside every pipeline")


def test_the_newest_arrivals_come_first_and_only_as_many_as_asked_for(ledger: Ledger) -> None:
    for seconds in (5, 1, 9, 3):
        ledger.arrivals.join_window(PIPELINE, _at(seconds))

    newest = ledger.arrivals.list_arrivals(PIPELINE, limit=2)

    assert [entry.arrival.event_id for entry in newest] == ["event-9", "event-5"]
