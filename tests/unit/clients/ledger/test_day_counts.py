"""Counts of days: exact whatever comes again, gets lost or happens at once, and few rows and requests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.clients.ledger import ArrivalLedger
from shared.clients.ledger.tables import Row
from shared.decisions.arrivals.day_counts import HISTORY, counted_at, moment_of_quarter, quarter_of
from shared.messages import Arrival, Backfill, ObservedChange
from tests.support.arrivals import an_arrival
from tests.support.examples import examples
from tests.support.ledger_arrivals import join
from tests.support.memory_tables import MemoryTable
from tests.support.workflow import START

PIPELINE = "breast-cancer"
OFFSETS = st.lists(st.integers(-3, 40).map(lambda hours: timedelta(hours=hours)), min_size=1, max_size=12)


def _ledger(arrivals: MemoryTable | None = None) -> tuple[ArrivalLedger, MemoryTable]:
    table = arrivals if arrivals is not None else MemoryTable()
    return ArrivalLedger(table, MemoryTable()), table


def _arrival(number: int, at: datetime, *, received: datetime | None = None) -> Arrival:
    return an_arrival(
        event_id=f"e{number}",
        blob=f"landing/{number}.csv",
        etag=f"0x{number}",
        occurred_at=at,
        received_at=received or at,
    )


def _joined(ledger: ArrivalLedger, arrivals: Sequence[Arrival], *, marked: bool = False) -> None:
    ledger.join_windows(PIPELINE, [(each, marked) for each in arrivals])


def _counted(ledger: ArrivalLedger) -> dict[datetime, int]:
    return ledger.counted(PIPELINE, since=START - HISTORY)


@examples(30, deadline=None)
@given(offsets=OFFSETS, groups=st.lists(st.lists(st.integers(0, 11), max_size=8), max_size=6), lost=st.booleans())
def test_every_file_counts_once_in_the_quarter_in_which_it_was_written(
    offsets: Sequence[timedelta], groups: Sequence[Sequence[int]], lost: bool
) -> None:
    arrivals = [_arrival(number, START + offset) for number, offset in enumerate(offsets)]
    first, table = _ledger(MemoryTable(answers_get_lost=lost))
    second, _ = _ledger(table)
    for number, group in enumerate(groups):
        chosen = [arrivals[each] for each in group if each < len(arrivals)]
        _joined((first, second)[number % 2], chosen)
    seen = {each for group in groups for each in group if each < len(arrivals)}

    expected = Counter(moment_of_quarter(*quarter_of(arrivals[each].occurred_at)) for each in seen)

    assert _counted(first) == _counted(second) == dict(expected)


def test_counting_takes_no_request_of_its_own() -> None:
    ledger, table = _ledger()
    for round_ in range(5):
        before = table.requests
        group = [_arrival(round_ * 50 + each, START + timedelta(minutes=round_)) for each in range(50)]
        # The look-up of the first one, when no window is open, and one transaction: as without counts.
        _joined(ledger, group)
        assert table.requests - before <= 2


def test_a_year_of_a_hundred_thousand_arrivals_is_read_in_one_request() -> None:
    ledger, table = _ledger()
    for number in range(371):
        at = START - timedelta(days=number)
        table.put(Row(PIPELINE, f"d-{date.max.toordinal() - at.toordinal():07d}-all", {"quarters": "30:150 41:120"}))
    before = table.requests

    counted = _counted(ledger)

    assert (sum(counted.values()), table.requests - before) == (371 * 270, 1)


def test_a_hosts_death_leaves_a_row_and_no_wrong_count() -> None:
    ledger, table = _ledger()
    _joined(ledger, [_arrival(1, START)])

    def die(operation: str) -> None:
        if operation == "transact":
            raise ConnectionError

    table.before = die
    try:
        _joined(ledger, [_arrival(2, START)])
    except ConnectionError:
        table.before = lambda _: None
    _joined(ledger, [_arrival(2, START), _arrival(3, START)])

    assert sum(_counted(ledger).values()) == 3


def test_a_done_marker_and_another_event_about_the_same_version_are_no_files() -> None:
    ledger, _ = _ledger()
    _joined(ledger, [_arrival(1, START)])
    _joined(ledger, [replace(_arrival(1, START), event_id="another")])
    _joined(ledger, [_arrival(2, START)], marked=True)

    assert sum(_counted(ledger).values()) == 1


def test_what_is_delivered_late_counts_when_it_was_written_unless_that_cannot_be() -> None:
    day = timedelta(days=1)
    late = _arrival(1, START - day, received=START)
    assert counted_at(late) == START - day
    assert counted_at(replace(late, occurred_at=START - day - timedelta(seconds=1))) == START
    assert counted_at(replace(late, occurred_at=START + timedelta(seconds=1))) == START


def test_files_that_no_event_reported_count_once_when_their_window_closes() -> None:
    ledger, _ = _ledger()
    window = ledger.open_window(PIPELINE, at=START, change=ObservedChange(files=5, size=5))
    assert window is not None
    _joined(ledger, [_arrival(number, START) for number in range(2)])

    for _ in range(2):
        ledger.close_window(window)

    assert sum(_counted(ledger).values()) == 5


def test_a_window_whose_files_were_all_reported_adds_nothing() -> None:
    ledger, _ = _ledger()
    start = join(ledger, PIPELINE, _arrival(1, START)).start
    assert start is not None
    ledger.open_window(PIPELINE, at=START, change=ObservedChange(files=1, size=1))

    ledger.close_window(start)

    assert sum(_counted(ledger).values()) == 1


def test_days_that_are_over_are_put_together_without_changing_a_count() -> None:
    table = MemoryTable()
    for number in range(30):
        ledger, _ = _ledger(table)  # another process each time
        _joined(ledger, [_arrival(number, START + timedelta(hours=number))])
    before, rows = _counted(ledger), len(list(table.rows(PIPELINE, "d-", "d.")))

    tidied = ledger.counted_and_tidied(PIPELINE, START + timedelta(days=10))

    assert tidied == before == _counted(ledger)
    assert (rows, len(list(table.rows(PIPELINE, "d-", "d.")))) == (30, len({moment.date() for moment in before}))
    asked = table.requests
    ledger.counted_and_tidied(PIPELINE, START + timedelta(days=10))
    assert table.requests - asked == 1


def test_days_to_which_somebody_may_still_add_are_left_alone() -> None:
    table = MemoryTable()
    for number in range(3):
        _joined(_ledger(table)[0], [_arrival(number, START)])

    _ledger(table)[0].counted_and_tidied(PIPELINE, START + timedelta(days=2))

    assert len(list(table.rows(PIPELINE, "d-", "d."))) == 3


@examples(20, deadline=None)
@given(offsets=OFFSETS, most=st.integers(1, 5), repeats=st.booleans())
def test_arrivals_from_before_days_were_counted_are_counted_in_bounded_steps(
    offsets: Sequence[timedelta], most: int, repeats: bool
) -> None:
    ledger, table = _ledger()
    for number, offset in enumerate(offsets):
        _joined(ledger, [_arrival(number, START + offset)])
    expected = _counted(ledger)
    _as_before_days_were_counted(table)
    _joined(ledger, [_arrival(1000, START)])  # and one that is counted, on a day that is not

    state, steps = Backfill(), 0
    while not state.done:
        before = table.requests
        if repeats:  # the step's answer was lost, and it is done again
            ledger.backfill(PIPELINE, state, now=START + timedelta(days=5), most=most)
        state = ledger.backfill(PIPELINE, state, now=START + timedelta(days=5), most=most)
        assert table.requests - before <= (1 + most + 1) * (1 + repeats)
        steps += 1

    quarter = moment_of_quarter(*quarter_of(START))
    assert _counted(ledger) == dict(Counter(expected) + Counter({quarter: 1}))
    assert steps <= len(offsets) + 2


def test_counts_are_forgotten_when_no_calendar_shows_them_any_more() -> None:
    ledger, table = _ledger()
    for days in (0, 370, 371, 372, 400):
        _joined(ledger, [_arrival(days, START - timedelta(days=days))])

    gone = ledger.forget_counts(PIPELINE, now=START, most=10)

    kept = [
        datetime.combine(date.fromordinal(date.max.toordinal() - int(row.key[2:9])), datetime.min.time(), tzinfo=UTC)
        for row in table.rows(PIPELINE, "d-", "d.")
    ]
    assert (gone, len(kept)) == (2, 3)
    assert min(kept) >= START - timedelta(days=372)


def _as_before_days_were_counted(table: MemoryTable) -> None:
    for row in list(table.rows(PIPELINE, "d-", "d.")):
        table.delete(row)
    for row in list(table.rows(PIPELINE, "g-", "g.")):
        table.delete(row)
        values = {name: value for name, value in row.values.items() if name != "by_day"}
        table.insert(Row(row.partition, row.key, values))
