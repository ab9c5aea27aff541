"""The reconciler's look at the data: told of what nobody told, cheap when nothing changed."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.decisions.reconciliation.change_detection import (
    SWEEP_EVERY,
    TELL_EVERY,
    Glance,
    is_news,
    seen_now,
    sighting,
    sweep_is_due,
    told_now,
)
from shared.messages import Sighting
from shared.messages.listings import Listing, LookState, SettledListing
from tests.support.workflow import START

LATER = START + timedelta(minutes=2)
GLANCE = Glance(first_page="page-a")
SETTLED = SettledListing(listing="a")
SEEN = LookState(swept_at=START, first_page="page-a", listing="a")


def a_listing(digest: str = "a", **changes: object) -> Listing:
    listing = Listing(digest=digest, blobs=3, size=30, newest=START, fresh_blobs=1, fresh_size=10)
    return replace(listing, **changes)  # type: ignore[arg-type]


def test_nothing_changed_means_nothing_is_listed() -> None:
    assert not sweep_is_due(SEEN, GLANCE, SETTLED, LATER)


@pytest.mark.parametrize(
    ("before", "glance", "settled", "now"),
    [
        (None, GLANCE, SETTLED, LATER),
        (SEEN, Glance(first_page="page-b"), SETTLED, LATER),
        (SEEN, replace(GLANCE, last_page="z"), SETTLED, LATER),
        (SEEN, replace(GLANCE, holdout="md5 2 of 9"), SETTLED, LATER),
        (replace(SEEN, holdout="md5 2 of 9"), GLANCE, SETTLED, LATER),
        (SEEN, replace(GLANCE, marked_etag="0x1"), SETTLED, LATER),
        (SEEN, GLANCE, SettledListing(listing="b"), LATER),
        (SEEN, GLANCE, None, LATER),
        (SEEN, GLANCE, SETTLED, START + SWEEP_EVERY),
        (SEEN, GLANCE, SETTLED, START - SWEEP_EVERY),
        (replace(SEEN, listing=""), GLANCE, None, LATER),
    ],
)
def test_what_makes_everything_be_listed(
    before: LookState | None, glance: Glance, settled: SettledListing | None, now: datetime
) -> None:
    assert sweep_is_due(before, glance, settled, now)


def test_what_an_admission_cannot_decide_on_is_told_once_an_hour() -> None:
    told = told_now(SEEN, START)

    assert not is_news(told, None, LATER)
    assert not sweep_is_due(told, GLANCE, None, LATER)
    again = seen_now(told, GLANCE, a_listing(), START + TELL_EVERY)
    assert is_news(again, None, START + TELL_EVERY)


def test_another_listing_is_news_at_once() -> None:
    told = told_now(SEEN, START)

    assert is_news(seen_now(told, GLANCE, a_listing("b"), LATER), SETTLED, LATER)


def test_nothing_to_train_on_is_no_news() -> None:
    assert not is_news(seen_now(SEEN, GLANCE, None, LATER), SETTLED, LATER)


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
def test_a_done_marker_counts_when_it_was_written_since_the_last_look(
    before: LookState | None, etag: str | None, marked: bool
) -> None:
    assert sighting(before, a_listing(marked_etag=etag)) == Sighting(files=1, size=10, marked=marked)


@dataclass
class World:
    """A hub whose data changes, an admission that decides on some of what it is told, and passes every two minutes."""

    now: datetime = START
    data: int = 0
    settled: SettledListing | None = None
    look: LookState | None = None
    told: list[tuple[datetime, int]] = field(default_factory=list)
    sweeps: list[datetime] = field(default_factory=list)
    listed: list[tuple[datetime, int]] = field(default_factory=list)

    def look_at_it(self, *, quick_sees: bool) -> None:
        glance = Glance(first_page=f"page-{self.data}" if quick_sees else "page")
        if not sweep_is_due(self.look, glance, self.settled, self.now):
            return
        self.sweeps.append(self.now)
        self.listed.append((self.now, self.data))
        seen = seen_now(self.look, glance, a_listing(str(self.data)) if self.data else None, self.now)
        if is_news(seen, self.settled, self.now):
            self.told.append((self.now, self.data))
            seen = told_now(seen, self.now)
        self.look = seen


STEPS = st.lists(st.sampled_from(["change", "settle", "break", "look", "look", "look"]), max_size=80)


@given(STEPS, st.booleans())
@example(["change", "look", "change", "settle", "look", "break", "look"], True)
def test_every_change_is_told_and_the_same_not_twice_within_the_hour(steps: list[str], quick_sees: bool) -> None:
    world = World()
    for step in steps:
        if step == "change":
            world.data += 1
        elif step == "settle":
            world.settled = SettledListing(listing=str(world.data)) if world.data else world.settled
        elif step == "break":
            world.data, world.settled = max(world.data - 1, 0), None
        else:
            world.look_at_it(quick_sees=quick_sees)
            world.now += timedelta(minutes=2)

    for earlier, later in zip(world.told, world.told[1:], strict=False):
        # What had gone and came back within the hour is news again.
        since = {data for at, data in world.listed if earlier[0] <= at <= later[0] and data}
        assert len(since) > 1 or later[0] - earlier[0] >= TELL_EVERY
    world.now += SWEEP_EVERY  # at the latest, also when no quick look shows it
    world.look_at_it(quick_sees=quick_sees)
    decided = world.settled is not None and world.settled.listing == str(world.data)
    assert decided or not world.data or world.told[-1][1] == world.data


@given(st.integers(1, 200))
def test_a_quiet_pipeline_is_listed_once_an_hour(passes: int) -> None:
    world = World(data=1, settled=SettledListing(listing="1"))

    for _ in range(passes):
        world.look_at_it(quick_sees=True)
        world.now += timedelta(minutes=2)

    assert len(world.sweeps) == 1 + (passes - 1) // 30
    assert world.told == []
