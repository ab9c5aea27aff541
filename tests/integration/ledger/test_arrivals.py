"""The arrival ledger on real tables: many hosts at once. Its rules are tested in ``tests/unit/clients/ledger``."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import JoinedWindow, Ledger
from shared.messages import Arrival, ObservedChange, RejectedEvent, Verdict
from shared.pipelines import Settle
from tests.support.arrivals import an_arrival
from tests.support.ledger_arrivals import PIPELINE, a_twin_of, at, join, join_all, opened, verdict_on
from tests.support.workflow import START

SETTLE = Settle(quiet_seconds=5, longest_wait_seconds=60)
HOSTS = 4


@pytest.fixture
def hosts(tables: str, prefix: str) -> Iterator[list[Ledger]]:
    ledgers = [Ledger(StorageAccess.of(tables), prefix) for _ in range(HOSTS)]
    yield ledgers
    for ledger in ledgers:
        ledger.close()


def _deliver(hosts: Sequence[Ledger], groups: Sequence[Sequence[Arrival]]) -> list[JoinedWindow]:
    with ThreadPoolExecutor(2 * HOSTS) as pool:
        joined = pool.map(lambda n: join_all(hosts[n % HOSTS], groups[n]), range(len(groups)))
        return [entry for group in joined for entry in group]


def test_a_burst_opens_one_window_and_loses_no_arrival(hosts: list[Ledger]) -> None:
    """Sixty events, each delivered twice, one by one."""
    arrivals = [at(n / 100, f"event-{n % 60}") for n in range(60)] * 2
    joined = _deliver(hosts, [[arrival] for arrival in arrivals])

    assert len({entry.window_id for entry in joined}) == 1
    assert sum(entry.new for entry in joined) == 60
    [start] = {entry.start.window_id: entry.start for entry in joined if entry.start}.values()
    state = hosts[0].arrivals.window_state(start, settle=SETTLE)
    assert (state.arrivals, state.last_arrival_at) == (60, START + timedelta(seconds=0.59))
    assert len(hosts[1].arrivals.list_arrivals(PIPELINE).items) == 60


def test_groups_of_several_hosts_that_overlap_record_each_event_once(hosts: list[Ledger]) -> None:
    """100 versions, each told of by two events, each event delivered twice, in groups of all sizes."""
    events = [at(n / 1000, f"event-{n}") for n in range(100)]
    events += [a_twin_of(event, f"twin-{event.event_id}", 0) for event in events]
    shuffled = [events[(n * 79) % 200] for n in range(200)] + events[::-1]
    cuts = [0, *(n * (n + 1) for n in range(1, 20)), 400]
    joined = _deliver(hosts, [shuffled[a:b] for a, b in pairwise(cuts)])

    assert len(joined) == 400
    listed = [*hosts[0].arrivals.list_arrivals(PIPELINE, limit=1000).items]
    assert Counter(entry.arrival.event_id for entry in listed) == Counter(event.event_id for event in events)
    assert Counter(entry.verdict for entry in listed) == {Verdict.JOINED: 100, Verdict.DUPLICATE: 100}
    assert len({entry.arrival.blob for entry in listed if entry.verdict is Verdict.JOINED}) == 100
    [unfinished] = hosts[0].arrivals.unfinished_windows()
    assert hosts[0].arrivals.window_state(unfinished.window, settle=SETTLE).arrivals == 100


def test_windows_that_close_meanwhile_leave_nobody_behind(hosts: list[Ledger]) -> None:
    events = [at(n / 100, f"event-{n}") for n in range(120)]

    def close_and_judge() -> None:
        for unfinished in hosts[0].arrivals.unfinished_windows():
            hosts[0].arrivals.close_window(unfinished.window)
            hosts[0].arrivals.record_verdict(verdict_on(unfinished.window))

    with ThreadPoolExecutor(2 * HOSTS) as pool:
        joining = [pool.submit(join_all, hosts[n % HOSTS], events[n : n + 3]) for n in range(0, 120, 3)]
        judging = [pool.submit(close_and_judge) for _ in range(20)]
        assert sum(len(future.result()) for future in joining) == 120
        for future in judging:
            future.result()
    close_and_judge()

    listed = hosts[0].arrivals.list_arrivals(PIPELINE, limit=1000).items
    assert {entry.verdict for entry in listed} == {Verdict.TRAINED}
    assert len(listed) == 120
    assert hosts[0].arrivals.unfinished_windows() == []


def test_one_of_many_observed_changes_opens_the_window(hosts: list[Ledger]) -> None:
    def sight(n: int) -> bool:
        change = ObservedChange(files=n + 1, size=n)
        return hosts[n % HOSTS].arrivals.open_window(PIPELINE, at=START, change=change) is not None

    with ThreadPoolExecutor(2 * HOSTS) as pool:
        assert sum(pool.map(sight, range(8))) == 1


def test_everything_is_read_back_from_real_tables(ledger: Ledger) -> None:
    odd = an_arrival(event_id="/\\#?\x01é", blob="raw/\u2028é?.csv", size=2**60)
    window = opened(ledger, odd)
    ledger.arrivals.open_window(PIPELINE, at=START, change=ObservedChange(files=9, size=1))
    join(ledger.arrivals, PIPELINE, at(1), marked=True)
    ledger.arrivals.record_all_outside([(odd, "outside every pipeline")])
    event = RejectedEvent(event_id="é/?", reason="event: type is missing", received_at=START, text='{"a": 1}')
    ledger.arrivals.record_rejected(event)

    state = ledger.arrivals.window_state(window, settle=SETTLE)
    assert (state.arrivals, state.size, state.marked) == (9, 2**60, True)
    assert [entry.arrival for entry in ledger.arrivals.arrivals_of(PIPELINE, odd.blob)] == [odd]
    assert [entry.arrival for entry in ledger.arrivals.list_arrivals(None).items] == [odd]
    assert ledger.arrivals.list_rejected().items == (event,)
    first = ledger.arrivals.list_arrivals(PIPELINE, limit=1)
    rest = ledger.arrivals.list_arrivals(PIPELINE, limit=1, after=first.next)
    assert [entry.arrival.event_id for entry in first.items + rest.items] == ["event-1", odd.event_id]
