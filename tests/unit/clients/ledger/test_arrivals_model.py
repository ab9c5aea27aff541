"""The arrival ledger under any order of events, repeats, losses, races and deaths: nothing lost, nothing undecided.

Two hosts work on the same tables. A host may die before any of its requests, the answer of every request may be lost
(and the request be tried again), and between any two requests of one host the other may do something.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.clients.ledger import JoinedWindow, Ledger, RecordedArrival
from shared.clients.ledger.day_counts import counts_of
from shared.messages import Arrival, ArrivalWindow, ObservedChange, Verdict, WindowVerdict
from shared.pipelines import Settle
from tests.support.arrivals import an_arrival
from tests.support.examples import examples
from tests.support.memory_tables import MemoryTable, MemoryTables
from tests.support.workflow import START

PIPELINE = "breast-cancer"

Fate = int | str  # dies before its n-th request, or so
HOSTS = st.integers(0, 1)
FATES = st.sampled_from(["lives", "lives", "lives", "dies before it starts a window"]) | st.integers(0, 8)
PAUSES = st.sampled_from([0, 0.1, 3, 20, 4000])


class DiedError(Exception):
    """The host was killed."""


class ArrivalLedgers(RuleBasedStateMachine):
    """What Event Grid, two hosts and the reconciler do; what must hold whatever they do."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = MemoryTables()
        self.hosts = [Ledger.over(self.tables), Ledger.over(self.tables)]
        self.reader = Ledger.over(self.tables)
        self.now = START
        self.events: list[Arrival] = []
        self.answered: set[str] = set()  # events that Event Grid need not deliver again
        self.running: dict[str, ArrivalWindow] = {}
        self.closed: set[str] = set()

    @initialize(lost=st.booleans())
    def set_up(self, lost: bool) -> None:
        for word in ("arrivals", "claims"):
            self.tables.table(word).answers_get_lost = lost

    # Events are told of and delivered, as good as it goes

    @rule(data=st.data(), blob=st.integers(0, 2), tagged=st.booleans(), host=HOSTS, fate=FATES, seconds=PAUSES)
    def a_blob_is_written(
        self, data: st.DataObject, blob: int, tagged: bool, host: int, fate: Fate, seconds: float
    ) -> None:
        """Its event comes alone, or with others that come again."""
        self.now += timedelta(seconds=seconds)
        number = len(self.events)
        etag = f"0x{number}" if tagged else ""
        event = an_arrival(event_id=f"e{number}", blob=f"landing/{blob}.csv", etag=etag, occurred_at=self.now)
        group = data.draw(st.permutations([event, *self._some(data, least=0)]))
        self.events.append(event)
        self._delivered(host, group, fate)

    @precondition(lambda self: self.events)
    @rule(data=st.data(), host=HOSTS, fate=FATES, seconds=PAUSES)
    def another_event_tells_of_the_same(self, data: st.DataObject, host: int, fate: Fate, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        twin = replace(data.draw(st.sampled_from(self.events)), event_id=f"e{len(self.events)}")
        group = data.draw(st.permutations([twin, *self._some(data, least=0)]))
        self.events.append(twin)
        self._delivered(host, group, fate)

    @precondition(lambda self: self.events)
    @rule(data=st.data(), host=HOSTS, fate=FATES)
    def events_come_again(self, data: st.DataObject, host: int, fate: Fate) -> None:
        self._delivered(host, self._some(data, least=1), fate)

    @precondition(lambda self: self.events)
    @rule(data=st.data(), after=st.integers(0, 6), other=st.sampled_from(["delivers", "closes", "both"]))
    def two_hosts_race(self, data: st.DataObject, after: int, other: str) -> None:
        fresh = an_arrival(event_id=f"e{len(self.events)}", blob="landing/race.csv", etag=f"race-{len(self.events)}")
        self.events.append(fresh)
        groups = [data.draw(st.permutations([fresh, *self._some(data, least=0)])), self._some(data, least=1)]

        def meanwhile() -> None:
            if other != "closes":
                self._deliver(1, groups[1])
            if other != "delivers":
                self._close_all()

        with self._interrupted(after, meanwhile):
            self._deliver(0, groups[0])

    # What becomes of windows

    @precondition(lambda self: self.running)
    @rule(judge=st.booleans())
    def windows_are_closed(self, judge: bool) -> None:
        self._close_all()
        if judge:
            self._judge_all()

    @rule(files=st.integers(1, 3))
    def a_listing_shows_something(self, files: int) -> None:
        window = self.reader.arrivals.open_window(PIPELINE, at=self.now, change=ObservedChange(files=files, size=files))
        if window is not None:
            self._start(window)

    @rule()
    def the_reconciler_adopts(self) -> None:
        for unfinished in self.reader.arrivals.unfinished_windows():
            self._start(unfinished.window)

    # What must hold

    @invariant()
    def every_event_has_one_row_and_every_version_one_arrival(self) -> None:
        listed = self._listed()
        events = Counter(entry.arrival.event_id for entry in listed)
        assert set(events.values()) <= {1}
        assert self.answered <= set(events)
        versions = Counter(_version(entry.arrival) for entry in listed if entry.verdict is not Verdict.DUPLICATE)
        assert set(versions.values()) <= {1}
        assert set(versions) == {_version(entry.arrival) for entry in listed}

    @invariant()
    def who_waits_for_a_verdict_is_in_a_window_that_will_give_it(self) -> None:
        unfinished = self.reader.arrivals.unfinished_windows()
        assert sum(not found.closed for found in unfinished) <= 1
        waiting = {entry.window_id for entry in self._listed() if entry.verdict is Verdict.JOINED}
        assert waiting <= {found.window.window_id for found in unfinished}

    @invariant()
    def windows_count_what_joined_them(self) -> None:
        joined = Counter(entry.window_id for entry in self._listed() if entry.window_id)
        for unfinished in self.reader.arrivals.unfinished_windows():
            state = self.reader.arrivals.window_state(unfinished.window, settle=Settle())
            assert state.arrivals >= joined[state.window_id]
            assert state.last_arrival_at >= state.opened_at

    @invariant()
    def days_count_every_version_once(self) -> None:
        rows = self.tables.table("arrivals").rows(PIPELINE, "d-", "d.")
        reported = counts_of(row for row in rows if "-w" not in row.key)  # without those that a listing has shown
        assert sum(reported.values()) == sum(entry.verdict is not Verdict.DUPLICATE for entry in self._listed())

    @invariant()
    def a_blobs_events_are_those_of_the_list(self) -> None:
        listed = self._listed()
        for blob in {event.blob for event in self.events}:
            of_blob = self.reader.arrivals.arrivals_of(PIPELINE, blob, limit=1000)
            assert _ids(of_blob) == _ids([entry for entry in listed if entry.arrival.blob == blob])

    def teardown(self) -> None:
        """Event Grid delivers what was not answered, the reconciler adopts: then everything is judged."""
        missing = [event for event in self.events if event.event_id not in self.answered]
        if missing:
            self._deliver(0, missing)
        self.the_reconciler_adopts()
        self._close_all()
        self._judge_all()
        assert self.reader.arrivals.unfinished_windows() == []
        listed = self._listed()
        assert _ids(listed) == sorted(event.event_id for event in self.events)
        assert {entry.verdict for entry in listed} <= {Verdict.TRAINED, Verdict.DUPLICATE}

    def _some(self, data: st.DataObject, *, least: int) -> list[Arrival]:
        if not self.events:
            return []
        return data.draw(st.lists(st.sampled_from(self.events), min_size=least, max_size=4))

    def _delivered(self, host: int, group: list[Arrival], fate: Fate) -> None:
        with self._interrupted(fate if isinstance(fate, int) else None, _die):
            self._deliver(host, group, starts=fate != "dies before it starts a window")

    def _deliver(self, host: int, group: list[Arrival], *, starts: bool = True) -> None:
        closed_before = set(self.closed)
        received = [(replace(event, received_at=self.now), False) for event in group]
        joined = self.hosts[host].arrivals.join_windows(PIPELINE, received)
        for event, entry in zip(group, joined, strict=True):
            self._check(entry, closed_before)
            self.answered.add(event.event_id)
            if entry.start is not None and starts:
                self._start(entry.start)

    def _check(self, entry: JoinedWindow, closed_before: set[str]) -> None:
        if entry.new and entry.window_id is not None:
            # Its blob may have been written after that window's listing was made.
            assert entry.window_id not in closed_before

    def _start(self, window: ArrivalWindow) -> None:
        self.reader.arrivals.window_started(window)
        self.running[window.window_id] = window

    def _close_all(self) -> None:
        for window in self.running.values():
            self.reader.arrivals.close_window(window)
            self.closed.add(window.window_id)

    def _judge_all(self) -> None:
        for window_id in self.closed & set(self.running):
            del self.running[window_id]
            self.reader.arrivals.record_verdict(
                WindowVerdict(window_id=window_id, pipeline=PIPELINE, verdict=Verdict.TRAINED, reason="r")
            )

    def _listed(self) -> list[RecordedArrival]:
        return list(self.reader.arrivals.list_arrivals(PIPELINE, limit=1000).items)

    @contextmanager
    def _interrupted(self, after: int | None, then: Callable[[], None]) -> Iterator[None]:
        """Do something after so many requests of what is in the block; :class:`DiedError` out of it ends the block."""
        tables = [self.tables.table(word) for word in ("arrivals", "claims")]
        left = count(after or 0, -1)

        def before(_operation: str) -> None:
            if next(left) == 0:
                self._listen(tables, lambda _operation: None)
                then()

        if after is not None:
            self._listen(tables, before)
        try:
            with suppress(DiedError):
                yield
        finally:
            self._listen(tables, lambda _operation: None)

    def _listen(self, tables: list[MemoryTable], before: Callable[[str], None]) -> None:
        for table in tables:
            table.before = before


def _die() -> None:
    raise DiedError


def _version(arrival: Arrival) -> tuple[str, str]:
    return arrival.blob, arrival.etag or arrival.event_id


def _ids(entries: list[RecordedArrival]) -> list[str]:
    return sorted(entry.arrival.event_id for entry in entries)


TestArrivalLedgers = ArrivalLedgers.TestCase
TestArrivalLedgers.settings = examples(60, stateful_step_count=25, deadline=None)
