"""The cache against a model of it, with several sessions open at once and any order of what they do."""

import errno
import os
import shutil
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from site_agent.job.cache import Cache, Item, NoRoomError, Session, key_of

MOST = 100


def an_item(name: str, size: int = 10) -> Item:
    return Item(key_of("hub.example", "data", name, '"0x1"'), size)


def content_of(item: Item) -> bytes:
    """Other bytes for each key."""
    return (item.key.encode() * (item.size // 64 + 1))[: item.size]


def add(session: Session, item: Item) -> None:
    session.add(item, lambda file: file.write(content_of(item)))


def transfer(cache: Cache, *items: Item, into: Path | None = None) -> list[Item]:
    """What a job does; returns what had to be added. ``into``: the folder of its run."""
    with cache.session() as session:
        missing = session.take(items)
        session.reserve(missing)
        for item in missing:
            add(session, item)
        if into is not None:
            for item in items:
                session.place(item, into / item.key)
    return missing


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", MOST)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def test_what_was_added_once_is_there_for_the_next_run(cache: Cache, run: Path) -> None:
    item = an_item("a")

    assert transfer(cache, item) == [item]
    assert transfer(cache, item, into=run) == []

    placed = run / item.key
    assert placed.read_bytes() == content_of(item)
    assert stat.S_IMODE(placed.stat().st_mode) == 0o444
    assert placed.samefile(cache.path(item.key))
    assert list(cache.sessions.iterdir()) == []


@pytest.mark.parametrize(
    "other", [("hub.other", "data", "a", "1"), ("hub.example", "data2", "a", "1"), ("hub.example", "data", "a", "2")]
)
def test_another_account_container_or_version_is_another_entry(other: tuple[str, str, str, str]) -> None:
    assert key_of("hub.example", "data", "a", "1") != key_of(*other)


def test_the_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert key_of("h", "c", "a", "b1") != key_of("h", "c", "ab", "1")
    assert key_of("h", "c", "\udc80", "1") != key_of("h", "c", "\\udc80", "1")


def test_what_was_used_longest_ago_makes_room(cache: Cache) -> None:
    first, second, third, new = (an_item(name, 30) for name in "1234")
    for item in (first, second, third):
        transfer(cache, item)
    transfer(cache, first)

    transfer(cache, new)

    assert transfer(cache, first, third, new) == []
    assert transfer(cache, second) == [second]


def test_what_the_folder_of_a_run_holds_is_not_removed(cache: Cache, run: Path) -> None:
    held, free = an_item("held", 60), an_item("free", 40)
    transfer(cache, held, into=run)
    transfer(cache, free)

    transfer(cache, an_item("new", 40))

    assert transfer(cache, held) == []
    assert transfer(cache, free) == [free]
    shutil.rmtree(run)
    transfer(cache, an_item("large", 80))
    assert transfer(cache, held) == [held], "when the folder has gone, it is like the others"


def test_what_does_not_fit_is_there_for_its_run_alone(cache: Cache, run: Path) -> None:
    small, huge = an_item("small", 10), an_item("huge", MOST + 1)

    transfer(cache, small, huge, into=run)

    assert (run / huge.key).read_bytes() == content_of(huge)
    assert cache.used() == small.size
    assert transfer(cache, small, huge) == [huge]


def test_what_a_job_is_adding_counts_for_the_others(cache: Cache) -> None:
    first, second = an_item("first", 60), an_item("second", 60)
    with cache.session() as session:
        session.reserve([first])
        transfer(cache, second)
        add(session, first)

    assert cache.used() == 60
    assert transfer(cache, first) == []


def test_two_jobs_that_add_the_same_both_have_it(cache: Cache, tmp_path: Path) -> None:
    item = an_item("same", 40)
    with cache.session() as one, cache.session() as other:
        for session in (one, other):
            session.reserve([item])
        add(one, item)
        add(other, item)
        one.place(item, tmp_path / "one")
        other.place(item, tmp_path / "other")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes() == content_of(item)
    assert cache.used() == 40


def test_nothing_is_kept_of_what_breaks_off(cache: Cache) -> None:
    item = an_item("a")

    def breaks_off(file: BinaryIO) -> None:
        file.write(b"half")
        raise EOFError

    with cache.session() as session:
        session.reserve([item])
        with pytest.raises(EOFError):
            session.add(item, breaks_off)
        add(session, item)  # as a retry does

    assert transfer(cache, item) == []
    assert cache.path(item.key).read_bytes() == content_of(item)


def test_an_entry_of_another_size_is_not_used(cache: Cache) -> None:
    item = an_item("a")
    transfer(cache, item)
    broken = cache.path(item.key)
    broken.chmod(0o644)
    broken.write_bytes(b"")

    assert transfer(cache, item) == [item]
    assert broken.read_bytes() == content_of(item)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK])
def test_where_no_hard_link_can_be_it_is_a_copy(
    cache: Cache, run: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    item = an_item("a")
    transfer(cache, item)
    link = os.link

    def refused(source: object, target: object, **options: object) -> None:
        if str(target).startswith(str(run)):
            raise OSError(number, os.strerror(number))
        link(str(source), str(target))

    monkeypatch.setattr(os, "link", refused)
    transfer(cache, item, into=run)

    placed = run / item.key
    assert placed.read_bytes() == content_of(item)
    assert stat.S_IMODE(placed.stat().st_mode) == 0o444
    assert placed.stat().st_nlink == 1


def test_a_disk_without_room_is_told_before_anything_is_transferred(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cache.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=9))

    with cache.session() as session, pytest.raises(NoRoomError, match="9 bytes free, and the run's new data are 10"):
        session.reserve([an_item("a")])


def test_what_nobody_holds_makes_room_on_a_disk_that_others_fill(
    cache: Cache, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, old = an_item("held"), an_item("old")
    transfer(cache, held, into=run)
    transfer(cache, old)
    usage = shutil.disk_usage(cache.root)
    taken = 20 + 9  # by the two, and free
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=taken - cache_bytes(cache)))

    assert transfer(cache, an_item("new", 15)) == [an_item("new", 15)]
    assert (cache.path(held.key).exists(), cache.path(old.key).exists()) == (True, False)


def cache_bytes(cache: Cache) -> int:
    return sum(file.stat().st_size for file in cache.entries.rglob("*") if file.is_file())


def test_a_job_that_was_killed_while_it_reserved_stops_nobody(cache: Cache) -> None:
    with cache.session() as other, cache.session() as session:
        other.reserve([an_item("a")])
        for reserved in cache.sessions.glob("*/reserved"):
            reserved.write_bytes(b"")

        session.reserve([an_item("b")])
        add(session, an_item("b"))


def test_a_note_is_kept_as_long_as_its_entry(cache: Cache) -> None:
    item = an_item("a")
    cache.note(item.key, "nothing is there yet")
    assert cache.noted(item.key) == ""
    transfer(cache, item)

    cache.note(item.key, "a rather long line")
    cache.note(item.key, "short")
    assert cache.noted(item.key) == "short"

    transfer(cache, an_item("large", MOST))
    assert cache.noted(item.key) == ""


def test_a_part_of_a_note_is_no_note(cache: Cache) -> None:
    item = an_item("a")
    transfer(cache, item)
    cache.note(item.key, "sound 12")
    [note] = cache.notes.rglob(item.key)

    note.write_bytes(note.read_bytes()[:-2])

    assert cache.noted(item.key) == ""


ITEMS = [an_item(f"blob {number}", size) for number, size in enumerate((1, 5, 10, 20, 30, 40, 60, 101))]


class Jobs(RuleBasedStateMachine):
    """Up to three jobs at once: each holds, reserves, adds and places what it likes, and ends with or without a run."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.root = Path(tempfile.mkdtemp(prefix="cache-"))
        self.stack.callback(shutil.rmtree, self.root)
        self.cache = Cache(self.root / "cache", MOST)
        self.jobs: dict[int, tuple[ExitStack, Session]] = {}
        self.held: dict[int, set[Item]] = {}
        self.waiting: dict[int, list[Item]] = {}
        self.kept: dict[int, set[Path]] = {}
        self.kept_by_runs: set[Path] = set()
        self.runs = 0

    @rule(job=st.integers(0, 2), items=st.lists(st.sampled_from(ITEMS), unique=True))
    def begins(self, job: int, items: list[Item]) -> None:
        if job in self.jobs:
            return
        stack = ExitStack()
        session = stack.enter_context(self.cache.session())
        missing = session.take(items)
        session.reserve(missing)
        self.jobs[job] = stack, session
        self.held[job] = set(items) - set(missing)
        self.waiting[job] = missing
        self.kept[job] = {self.cache.path(item.key) for item in self.held[job]}

    @rule(job=st.integers(0, 2))
    def adds(self, job: int) -> None:
        if self.waiting.get(job):
            item = self.waiting[job].pop()
            add(self.jobs[job][1], item)
            self.held[job].add(item)
            entry = self.cache.path(item.key)
            if entry.exists() and entry.samefile(self.jobs[job][1]._folder / item.key):
                self.kept[job].add(entry)

    @rule(job=st.integers(0, 2))
    def ends(self, job: int) -> None:
        if job in self.jobs:
            self.jobs.pop(job)[0].close()
            self.held.pop(job)
            self.waiting.pop(job)
            self.kept.pop(job)

    @rule(job=st.integers(0, 2))
    def trains(self, job: int) -> None:
        """All that the job holds goes to the folder of a run, which stays."""
        if job in self.jobs and self.held[job] and self.runs < 2:
            self.runs += 1
            run = self.root / f"run {self.runs}"
            run.mkdir()
            for item in self.held[job]:
                self.jobs[job][1].place(item, run / item.key)
            self.kept_by_runs |= self.kept[job]
            self.held[job], self.kept[job] = set(), set()

    @rule()
    def forgets_the_runs(self) -> None:
        for run in self.root.glob("run *"):
            shutil.rmtree(run)
        self.runs = 0
        self.kept_by_runs = set()

    @invariant()
    def all_is_whole_and_bounded(self) -> None:
        if not hasattr(self, "cache"):
            return
        assert self.cache.used() <= MOST
        for entry in self.kept_by_runs.union(*self.kept.values()):
            assert entry.exists(), "an entry was removed that a job or the folder of a run holds"
        for path in self.cache.entries.rglob("*"):
            if path.is_file():
                [item] = [item for item in ITEMS if item.key == path.name]
                assert path.read_bytes() == content_of(item)
        for run in self.root.glob("run *"):
            for path in run.iterdir():
                assert path.read_bytes() == next(content_of(item) for item in ITEMS if item.key == path.name)

    def teardown(self) -> None:
        for stack, _ in getattr(self, "jobs", {}).values():
            stack.close()
        if hasattr(self, "stack"):
            self.stack.close()


TestAnyOrderOfJobs = Jobs.TestCase
