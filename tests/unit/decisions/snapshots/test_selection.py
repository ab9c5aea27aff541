"""All, new and latest; and that ``new`` misses nothing and takes nothing twice, whatever happens in a container."""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from shared.decisions.snapshots.incremental_selection import LastTraining, NewBlobs, scope_of
from shared.decisions.snapshots.selection import SelectedSnapshot, select_snapshot
from shared.formats.manifest import BlobEntry, DisorderError
from shared.formats.seen_set import SeenSet, SeenSetWriter, read_seen_set
from shared.pipelines import Pipeline
from tests.support.arrivals import a_pipeline
from tests.support.builders import a_snapshot
from tests.support.examples import examples
from tests.support.workflow import START

HOLDOUT = BlobEntry(name="h", etag='"h"', size=9, md5=None, last_modified=START)
ALL, NEW = a_pipeline(), a_pipeline(select="new")


def _blob(name: str, second: float = 0, etag: str = "1", md5: str | None = None) -> BlobEntry:
    at = (START + timedelta(seconds=second)).replace(microsecond=0)
    return BlobEntry(name=name, etag=f'"{etag}"', size=10, md5=md5, last_modified=at)


@dataclass
class Snap:
    """A snapshot taken of a listing, with what lies beside it."""

    taken: SelectedSnapshot
    names: list[str]
    seen: bytes

    @property
    def before(self) -> SeenSet:
        return read_seen_set([self.seen])


def _take(
    listed: Iterable[BlobEntry], pipeline: Pipeline, *, before: SeenSet | None = None, holdout: BlobEntry = HOLDOUT
) -> Snap:
    manifest, seen = bytearray(), bytearray()
    taken = select_snapshot(
        listed,
        pipeline=pipeline,
        holdout=holdout,
        manifest=manifest.extend,
        seen=seen.extend,
        before=before,
    )
    return Snap(taken, [blob["name"] for blob in json.loads(bytes(manifest))["blobs"]], bytes(seen))


def _names(*names: str, **of: Any) -> list[BlobEntry]:
    return [_blob(name, **of) for name in names]


def test_all_takes_everything_and_its_listing_is_the_manifest() -> None:
    snap = _take(_names("a", "b"), ALL)
    assert snap.names == ["a", "b"]
    assert snap.taken.listing == snap.taken.content
    assert (snap.taken.listed, snap.taken.blobs, snap.taken.size, snap.taken.newest) == (2, 2, 20, START)
    assert (snap.taken.seen, snap.seen) == ("", b"")


def test_latest_takes_the_newest_in_order_of_their_names() -> None:
    listed = [_blob("a", 5), _blob("b", 1), _blob("c", 9), _blob("d", 5), _blob("e", 5)]
    snap = _take(listed, a_pipeline(select={"latest": 3}))
    assert snap.names == ["c", "d", "e"]  # of those of one second the last by name
    assert (snap.taken.blobs, snap.taken.listed) == (3, 5)
    assert snap.taken.newest == START + timedelta(seconds=9)
    assert snap.taken.listing == _take(listed, ALL).taken.listing


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 6))
def test_latest_takes_the_largest_by_time_and_name(seconds: list[int], most: int) -> None:
    listed = [_blob(f"{number:02}", second) for number, second in enumerate(seconds)]
    newest = sorted(listed, key=lambda blob: (blob.last_modified, blob.name))[-most:]
    assert _take(listed, a_pipeline(select={"latest": most})).names == sorted(blob.name for blob in newest)


def test_without_an_earlier_snapshot_everything_is_new() -> None:
    assert _take(_names("a", "b"), NEW).names == ["a", "b"]


def test_new_takes_what_was_not_seen_whenever_it_was_written() -> None:
    first = _take([_blob("a", -600), _blob("b", -30), _blob("c", 0)], NEW)
    listed = [_blob("a", -600), _blob("b", -30), _blob("bb", -9000), _blob("c", 1, etag="2"), _blob("d", 1)]
    second = _take(listed, NEW, before=first.before)
    assert second.names == ["bb", "c", "d"]
    assert second.taken.listing == _take(listed, ALL).taken.listing
    third = _take(listed, NEW, before=second.before)
    assert (third.names, third.taken.blobs, third.taken.listed) == ([], 0, 5)


ONE, OTHER = "ab" * 16, "cd" * 16


@pytest.mark.parametrize("select", ["all", "new", {"latest": 2}])
def test_the_same_bytes_written_again_are_the_same_data_and_are_read_as_they_are_now(select: Any) -> None:
    pipeline = a_pipeline(select=select)
    before = _take([_blob("a", 0, "1", ONE), _blob("b", 0, "2", OTHER)], pipeline)
    again = _take([_blob("a", 90, "3", ONE), _blob("b", 99, "4", OTHER)], pipeline)

    assert (again.taken.content, again.taken.listing) == (before.taken.content, before.taken.listing)
    assert again.taken.digest != before.taken.digest  # the manifest names the versions that are read


@pytest.mark.parametrize(
    "changed",
    [
        [_blob("a", 0, "1", OTHER)],
        [_blob("b", 0, "1", ONE)],
        [_blob("a", 0, "2", None)],
        [_blob("a", 0, "1", ONE), _blob("b", 0, "1", ONE)],
        [],
    ],
)
def test_other_bytes_or_names_are_other_data(changed: list[BlobEntry]) -> None:
    before = _take([_blob("a", 0, "1", ONE)], ALL)

    assert _take(changed, ALL).taken.content != before.taken.content


def test_the_bytes_of_the_hold_out_count_and_not_its_version() -> None:
    def content(etag: str, md5: str | None) -> str:
        return _take([_blob("a")], ALL, holdout=_blob("h", 0, etag, md5)).taken.content

    assert content("1", ONE) == content("2", ONE)
    assert len({content("1", ONE), content("1", OTHER), content("1", None), content("2", None)}) == 4


def test_what_was_written_again_with_the_same_bytes_is_not_new() -> None:
    first = _take([_blob("a", 0, "1", ONE), _blob("b", 0, "2", ONE), _blob("c", 0, "3")], NEW)
    listed = [_blob("a", 9000, "4", ONE), _blob("b", 9000, "5", OTHER), _blob("c", 9000, "6")]

    assert _take(listed, NEW, before=first.before).names == ["b", "c"]


def test_a_list_from_before_contents_counted_is_read_as_it_was_meant() -> None:
    head = json.dumps({"aim": scope_of(NEW), "horizon": START.isoformat(), "schema": 1})
    seen = read_seen_set([f'{head}\n["b", "\\"1\\""]\n["c", "\\"1\\""]\n'.encode()])
    listed = [_blob("a", -1, "9"), _blob("b", 0, "1", ONE), _blob("c", 0, "2"), _blob("d", 0)]

    assert _take(listed, NEW, before=seen).names == ["c", "d"]


def test_a_snapshot_of_another_scope_says_nothing_about_what_is_new() -> None:
    first = _take(_names("a"), NEW)
    for part, value in [("prefix", "x/"), ("pattern", "*"), ("container", "x"), ("holdout", "x"), ("site", "x")]:
        change: dict[str, Any] = {part: value}
        assert _take(_names("a"), a_pipeline(select="new", **change), before=first.before).names == ["a"]
    marked = a_pipeline(select="new", settle={"done_marker": "_SUCCESS"})
    assert _take(_names("a"), marked, before=first.before).names == ["a"]
    slower = a_pipeline(select="new", settle={"quiet_seconds": 50})
    assert _take(_names("a"), slower, before=first.before).names == []


def test_disorder_is_noticed_whatever_is_selected() -> None:
    for select in ("all", "new", {"latest": 1}):
        with pytest.raises(DisorderError):
            _take([_blob("b", -600), _blob("a", -600)], a_pipeline(select=select))


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)


@given(st.dictionaries(names, st.text(max_size=3), max_size=6), st.integers(1, 40))
def test_the_list_of_what_is_seen_reads_back_however_it_is_cut(versions: dict[str, str], size: int) -> None:
    pieces: list[bytes] = []
    writer = SeenSetWriter(pieces.append, scope="é")
    blobs = [_blob(name, etag=versions[name]) for name in sorted(versions)]
    for blob in blobs:
        writer.add(blob)
    writer.end()
    text = b"".join(pieces)
    seen = read_seen_set(text[at : at + size] for at in range(0, len(text), size))
    assert seen.scope == "é"
    assert list(seen.pairs) == [(blob.name, blob.content) for blob in blobs]


@pytest.mark.parametrize("text", [b"", b"[]\n", b"{}\n", b'{"schema":3}\n', b'{"schema":1', b"\xff\n"])
def test_what_is_no_such_list_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        read_seen_set([text])


def _trained(listed: float | None, asked: float) -> LastTraining:
    at = None if listed is None else START + timedelta(seconds=listed)
    asked_at = START + timedelta(seconds=asked)
    return LastTraining(run_id="r", snapshot=a_snapshot(taken_at=at), requested_at=asked_at, ended_at=START)


def test_the_later_listing_covers_the_earlier_one() -> None:
    assert _trained(1, 0).covers(_trained(0, 5))
    assert not _trained(0, 5).covers(_trained(1, 0))
    assert _trained(0, 5).covers(_trained(0, 4))
    assert not _trained(0, 4).covers(_trained(0, 4))  # a repeat is noted again, which changes nothing
    assert not _trained(None, 5).covers(_trained(0, 0))
    assert not _trained(0, 5).covers(_trained(None, 0))


def test_without_a_list_everything_is_new_however_old() -> None:
    assert NewBlobs(None).is_new(_blob("a", -(10**9)))
    assert scope_of(ALL) == scope_of(NEW)


@dataclass
class Container:
    """A container while it is written and listed: a cursor walks through the names, and what lies behind it is past."""

    now: float = 0.0
    blobs: dict[str, BlobEntry] = field(default_factory=dict)
    written: int = 0

    def write(self, name: str) -> None:
        self.written += 1
        # Of every second blob the storage knows the MD5.
        md5 = f"{self.written:032x}" if self.written % 2 else None
        self.blobs[name] = _blob(name, self.now, str(self.written), md5)

    def write_again(self, name: str) -> None:
        """With the same bytes."""
        self.written += 1
        self.blobs[name] = replace(
            self.blobs[name],
            etag=f'"again {self.written}"',
            last_modified=(START + timedelta(seconds=self.now)).replace(microsecond=0),
        )

    def listing(self, meanwhile: list[tuple[int, str, float]]) -> Iterator[BlobEntry]:
        """``meanwhile``: after so many blobs were listed, this one is written, so many seconds later."""
        cursor, listed = "", 0
        waiting = sorted(meanwhile, key=lambda event: event[0])
        while True:
            while waiting and waiting[0][0] <= listed:
                _, name, pause = waiting.pop(0)
                self.now += pause
                self.write(name)
            following = min((name for name in self.blobs if name > cursor), default=None)
            if following is None:
                return
            yield self.blobs[following]
            cursor, listed = following, listed + 1


blob_names = st.sampled_from([f"{letter}{digit}" for letter in "abc" for digit in range(4)])
pauses = st.sampled_from([0.0, 0.1, 0.4, 1.0, 7.0])


class NewestTrainings(RuleBasedStateMachine):
    """Uploads, snapshots while uploads go on, and trainings that end well or not, several under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.container = Container()
        self.under_way: list[tuple[LastTraining, Snap, set[tuple[str, str]]]] = []
        self.trained: tuple[LastTraining, Snap] | None = None
        self.asked = 0
        self.done: set[tuple[str, str]] = set()

    @rule(name=blob_names, pause=st.sampled_from([0.0, 0.3, 1.0, 30.0, 61.0, 4000.0]))
    def write(self, name: str, pause: float) -> None:
        self.container.now += pause
        self.container.write(name)

    @rule(pause=st.sampled_from([0.0, 30.0, 4000.0]))
    def sync(self, pause: float) -> None:
        self.container.now += pause
        for name in self.container.blobs:
            self.container.write_again(name)

    @rule(name=blob_names)
    def delete(self, name: str) -> None:
        self.container.blobs.pop(name, None)

    @rule(meanwhile=st.lists(st.tuples(st.integers(0, 12), blob_names, pauses), max_size=6), lag=pauses)
    def snapshot(self, meanwhile: list[tuple[int, str, float]], lag: float) -> None:
        second = float(int(self.container.now))  # a Date header has whole seconds
        self.container.now += lag
        listed = list(self.container.listing(meanwhile))
        versions = {(blob.name, blob.content) for blob in listed}
        snap = _take(listed, NEW, before=self.trained[1].before if self.trained else None)
        taken = {version for version in versions if version[0] in snap.names}
        if not self.under_way:
            assert not taken & self.done, "what was trained is taken again"
        assert versions <= taken | self.done, "what is there was neither trained nor taken"
        if taken:
            self.asked += 1
            self.under_way.append((_trained(second, self.asked), snap, taken))

    @rule(which=st.randoms(use_true_random=False), well=st.booleans())
    def end(self, which: random.Random, well: bool) -> None:
        if self.under_way:
            training, snap, taken = self.under_way.pop(which.randrange(len(self.under_way)))
            if well:
                self.done |= taken
                if self.trained is None or not self.trained[0].covers(training):
                    self.trained = (training, snap)


TestNewestTrainings = NewestTrainings.TestCase
TestNewestTrainings.settings = examples(40, stateful_step_count=30, deadline=None)


@given(
    st.lists(st.tuples(st.integers(0, 12), blob_names, pauses), max_size=8),
    st.lists(blob_names, min_size=1, max_size=8),
    st.integers(0, 200),
)
def test_trained_one_after_the_other_each_version_trains_once(
    meanwhile: list[tuple[int, str, float]], first: list[str], wait: int
) -> None:
    """The plain case, stated without a state machine: what the first did not list, the second takes, and no more."""
    container = Container()
    for name in first:
        container.write(name)
    one_listed = list(container.listing(meanwhile))
    one = _take(one_listed, NEW)
    container.now += wait
    two_listed = list(container.listing([]))
    two = _take(two_listed, NEW, before=one.before)
    fresh = {(b.name, b.etag) for b in two_listed} - {(b.name, b.etag) for b in one_listed}
    assert two.names == sorted(name for name, _ in fresh)
