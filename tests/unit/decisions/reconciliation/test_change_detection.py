"""Change detection: what no event reported is noticed, and it costs little when nothing has changed."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.decisions.reconciliation.change_detection import (
    FULL_LISTING_EVERY,
    NOTIFY_EVERY,
    QuickScan,
    after_notification,
    full_listing_is_due,
    is_undecided_change,
    observed_change,
    scan_state,
)
from shared.messages import ObservedChange
from shared.messages.listings import DecidedListing, Listing, ScanState
from tests.support.workflow import START

LATER = START + timedelta(minutes=2)
SCAN = QuickScan(first_page="page-a")
DECIDED = DecidedListing(listing="a")
SEEN = ScanState(swept_at=START, first_page="page-a", listing="a")


def a_listing(digest: str = "a", **changes: object) -> Listing:
    listing = Listing(digest=digest, blobs=3, size=30, newest=START, fresh_blobs=1, fresh_size=10)
    return replace(listing, **changes)  # type: ignore[arg-type]


def test_nothing_changed_means_nothing_is_listed() -> None:
    assert not full_listing_is_due(SEEN, SCAN, DECIDED, LATER)


@pytest.mark.parametrize(
    ("before", "scan", "decided", "now"),
    [
        (None, SCAN, DECIDED, LATER),
        (SEEN, QuickScan(first_page="page-b"), DECIDED, LATER),
        (SEEN, replace(SCAN, last_page="z"), DECIDED, LATER),
        (SEEN, replace(SCAN, holdout="md5 2 of 9"), DECIDED, LATER),
        (replace(SEEN, holdout="md5 2 of 9"), SCAN, DECIDED, LATER),
        (SEEN, replace(SCAN, marked_etag="0x1"), DECIDED, LATER),
        (SEEN, SCAN, DecidedListing(listing="b"), LATER),
        (SEEN, SCAN, None, LATER),
        (SEEN, SCAN, DECIDED, START + FULL_LISTING_EVERY),
        (SEEN, SCAN, DECIDED, START - FULL_LISTING_EVERY),
        (replace(SEEN, listing=""), SCAN, None, LATER),
    ],
)
def test_what_makes_everything_be_listed(
    before: ScanState | None, scan: QuickScan, decided: DecidedListing | None, now: datetime
) -> None:
    assert full_listing_is_due(before, scan, decided, now)


def test_what_an_admission_cannot_decide_on_is_notified_once_an_hour() -> None:
    notified = after_notification(SEEN, START)

    assert not is_undecided_change(notified, None, LATER)
    assert not full_listing_is_due(notified, SCAN, None, LATER)
    again = scan_state(notified, SCAN, a_listing(), START + NOTIFY_EVERY)
    assert is_undecided_change(again, None, START + NOTIFY_EVERY)


def test_another_listing_is_a_change_at_once() -> None:
    notified = after_notification(SEEN, START)

    assert is_undecided_change(scan_state(notified, SCAN, a_listing("b"), LATER), DECIDED, LATER)


def test_nothing_to_train_on_is_no_change() -> None:
    assert not is_undecided_change(scan_state(SEEN, SCAN, None, LATER), DECIDED, LATER)


@pytest.mark.parametrize(
    ("before", "etag", "marked"),
    [
        (None, None, False),
        (None, "0x1", True),
        (SEEN, "0x1", True),
        (replace(SEEN, marked_etag="0x1"), "0x1", False),
        (replace(SEEN, marked_etag="0x1"), "0x2", True),
        (replace(SEEN, marked_etag="0x1"), None, False),
    ],
)
def test_a_done_marker_counts_when_it_was_written_since_the_last_scan(
    before: ScanState | None, etag: str | None, marked: bool
) -> None:
    assert observed_change(before, a_listing(marked_etag=etag)) == ObservedChange(files=1, size=10, marked=marked)


@dataclass
class World:
    """A hub whose data changes, an admission that decides on some of what it hears, and a cycle every two minutes."""

    now: datetime = START
    data: int = 0
    decided: DecidedListing | None = None
    kept: ScanState | None = None
    notified: list[tuple[datetime, int]] = field(default_factory=list)
    sweeps: list[datetime] = field(default_factory=list)
    listed: list[tuple[datetime, int]] = field(default_factory=list)

    def scan(self, *, quick_sees: bool) -> None:
        scan = QuickScan(first_page=f"page-{self.data}" if quick_sees else "page")
        if not full_listing_is_due(self.kept, scan, self.decided, self.now):
            return
        self.sweeps.append(self.now)
        self.listed.append((self.now, self.data))
        seen = scan_state(self.kept, scan, a_listing(str(self.data)) if self.data else None, self.now)
        if is_undecided_change(seen, self.decided, self.now):
            self.notified.append((self.now, self.data))
            seen = after_notification(seen, self.now)
        self.kept = seen


STEPS = st.lists(st.sampled_from(["change", "decide", "break", "scan", "scan", "scan"]), max_size=80)


@given(STEPS, st.booleans())
@example(["change", "scan", "change", "decide", "scan", "break", "scan"], True)
def test_every_change_is_notified_and_the_same_not_twice_within_the_hour(steps: list[str], quick_sees: bool) -> None:
    world = World()
    for step in steps:
        if step == "change":
            world.data += 1
        elif step == "decide":
            world.decided = DecidedListing(listing=str(world.data)) if world.data else world.decided
        elif step == "break":
            world.data, world.decided = max(world.data - 1, 0), None
        else:
            world.scan(quick_sees=quick_sees)
            world.now += timedelta(minutes=2)

    for earlier, later in zip(world.notified, world.notified[1:], strict=False):
        # What had gone and came back within the hour is new again.
        since = {data for at, data in world.listed if earlier[0] <= at <= later[0] and data}
        assert len(since) > 1 or later[0] - earlier[0] >= NOTIFY_EVERY
    world.now += FULL_LISTING_EVERY  # at the latest, also when no quick scan shows it
    world.scan(quick_sees=quick_sees)
    is_decided = world.decided is not None and world.decided.listing == str(world.data)
    assert is_decided or not world.data or world.notified[-1][1] == world.data


@given(st.integers(1, 200))
def test_a_quiet_pipeline_is_listed_once_an_hour(cycles: int) -> None:
    world = World(data=1, decided=DecidedListing(listing="1"))

    for _ in range(cycles):
        world.scan(quick_sees=True)
        world.now += timedelta(minutes=2)

    assert len(world.sweeps) == 1 + (cycles - 1) // 30
    assert world.notified == []
