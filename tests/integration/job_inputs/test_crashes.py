"""A job that is killed at any point leaves a cache that is whole, bounded, and of use to the next one.

The points are what Python asks of the file system, as audit hooks see it (PEP 578), so that none is forgotten.
"""

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from site_agent.job.cache import Cache, Item, key_of

MOST = 100
ENDLESS = 10**9
EVENTS = ("open", "os.", "fcntl.", "shutil.", "test.")

OLD = [Item(key_of("hub", "data", f"old {number}", "1"), 30) for number in range(3)]
HELD, UNUSED, USED = OLD
NEW = [Item(key_of("hub", "data", f"new {number}", "1"), size) for number, size in enumerate((30, 20, 70))]
ALL = {item.key: item for item in (*OLD, *NEW)}


def content_of(item: Item) -> bytes:
    return (item.key.encode() * 2)[: item.size]


def fill(item: Item) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(content_of(item)[:5])
        file.flush()
        sys.audit("test.half_written")
        file.write(content_of(item)[5:])

    return write


def do_job(cache: Cache, items: list[Item], run: Path | None) -> list[Item]:
    """All that a job does with the cache; returns what it had to add."""
    with cache.session() as session:
        missing = session.take(items)
        session.reserve(missing)
        for item in missing:
            session.add(item, fill(item))
        if run is not None:
            run.mkdir()
            for item in items:
                session.place(item, run / item.key)
    for item in items:
        cache.note(item.key, f"sound {item.size}")
    return missing


def killed_at(point: int, work: Callable[[], object]) -> int:
    """Do the work in a process of its own that is killed at its ``point``-th event; returns how many there were."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # no return from here, whatever happens: this is a copy of the whole test run
        try:
            os.close(reading)
            seen = 0

            def count(event: str, _: object) -> None:
                nonlocal seen
                if event.startswith(EVENTS):
                    seen += 1
                    if seen == point:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(count)
            work()
            os.write(writing, str(seen).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return int(answer or 0)


def a_used_cache(root: Path) -> Cache:
    """Nearly full: an entry that a run holds, one that was used long ago, one that was used just now."""
    cache = Cache(root / "cache", MOST)
    do_job(cache, [HELD], root / "earlier run")
    do_job(cache, [UNUSED], None)
    do_job(cache, [USED], None)
    return cache


def assert_whole(cache: Cache) -> None:
    assert cache.used() <= MOST
    for path in cache.entries.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == content_of(ALL[path.name])
            assert cache.noted(path.name) in {"", f"sound {ALL[path.name].size}"}


def assert_of_use(cache: Cache, root: Path) -> None:
    """The next job gets all that it needs, and removes what the killed one left."""
    run = root / "next run"
    do_job(cache, [HELD, USED, *NEW], run)
    for item in (HELD, USED, *NEW):
        assert (run / item.key).read_bytes() == content_of(item)
    assert list(cache.sessions.iterdir()) == []
    assert_whole(cache)
    shutil.rmtree(run)


def test_killed_at_every_point_a_job_leaves_the_cache_whole_and_of_use(tmp_path: Path) -> None:
    def work_in(root: Path) -> Callable[[], object]:
        cache = Cache(root / "cache", MOST)
        return lambda: do_job(cache, [USED, *NEW], root / "run")

    first = tmp_path / "0"
    a_used_cache(first)
    points = killed_at(ENDLESS, work_in(first))
    assert points > 60, "what a job asks of the file system is not seen"

    for point in range(1, points + 1):
        root = tmp_path / str(point)
        cache = a_used_cache(root)

        assert killed_at(point, work_in(root)) == 0

        assert_whole(cache)
        assert cache.path(HELD.key).exists(), f"killed at point {point}: what a run holds was removed"
        for path in (root / "run").glob("*"):
            assert path.read_bytes() == content_of(ALL[path.name])
        assert_of_use(cache, root)
        shutil.rmtree(root)


@pytest.mark.parametrize("seed", range(8))
def test_jobs_side_by_side_that_are_killed_anywhere_harm_nobody(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    cache = a_used_cache(tmp_path)
    children = []
    for number in range(6):
        items = chance.sample(list(ALL.values()), chance.randint(1, 5))
        point = chance.choice([ENDLESS, chance.randint(1, 100)])
        run = tmp_path / f"run {number}"
        child = os.fork()
        if child == 0:
            status = 1
            try:
                killed_at(point, lambda items=items, run=run: do_job(Cache(cache.root, MOST), items, run))  # type: ignore[misc]
                if point == ENDLESS:
                    assert all((run / item.key).read_bytes() == content_of(item) for item in items)
                status = 0
            finally:
                os._exit(status)
        children.append(child)

    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 6

    assert_whole(cache)
    assert cache.path(HELD.key).exists()
    assert_of_use(cache, tmp_path)
