from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.clients.ledger.journal import Entry, Journal
from shared.clients.ledger.tables import UNKNOWN, Change
from shared.values.wire import to_line
from tests.support.examples import examples
from tests.support.memory_tables import MemoryTable
from tests.support.workflow import START


@dataclass(frozen=True)
class Note:
    text: str


def _entry(key: str, text: str = "", **counts: int) -> Entry:
    return Entry(f"k-{key}", START, to_line(Note(text or key)), **counts)  # type: ignore[arg-type]


def _all(journal: Journal) -> list[str]:
    return [note.text for note in journal.page("p", Note, limit=1000, after=None).items]


@examples(25, deadline=None)
@given(calls=st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=30), max_size=6))
def test_each_key_is_recorded_and_listed_once(calls: Sequence[Sequence[str]]) -> None:
    journal = Journal(MemoryTable())
    known: set[str] = set()
    for keys in calls:
        expected = [key not in known and key not in keys[:number] for number, key in enumerate(keys)]
        assert journal.add("p", [_entry(key) for key in keys]) == expected
        known.update(keys)
    assert sorted(_all(journal)) == sorted(known)


@examples(25, deadline=None)
@given(length=st.integers(1, 9_000), number=st.integers(1, 150))
def test_whatever_the_texts_length_all_are_recorded_in_order(length: int, number: int) -> None:
    journal = Journal(MemoryTable())
    entries = [
        Entry(f"k-{n}", START + timedelta(seconds=n), to_line(Note(f"{n} " + "é" * length))) for n in range(number)
    ]
    assert all(journal.add("p", entries))
    assert [int(text.split()[0]) for text in _all(journal)] == list(range(number))[::-1]


class Taciturn(MemoryTable):
    """Does not say which change did not hold."""

    def transact(self, *changes: Change) -> int | None:
        return None if super().transact(*changes) is None else UNKNOWN


def test_a_service_that_does_not_say_what_it_refused_loses_nothing() -> None:
    journal = Journal(Taciturn())
    journal.add("p", [_entry("c")])
    assert journal.add("p", [_entry(key) for key in "abcde"]) == [True, True, False, True, True]
    assert sorted(_all(journal)) == list("abcde")


def test_a_hundred_take_two_requests() -> None:
    table = MemoryTable()
    assert all(Journal(table).add("p", [_entry(str(n)) for n in range(100)]))
    assert table.requests == 2


def test_one_that_is_known_costs_the_others_little() -> None:
    table = MemoryTable()
    journal = Journal(table)
    journal.add("p", [_entry("50")])
    before = table.requests
    assert journal.add("p", [_entry(str(n)) for n in range(99)]).count(False) == 1
    assert table.requests - before <= 4


def test_partitions_are_apart() -> None:
    journal = Journal(MemoryTable())
    assert journal.add("p", [_entry("a")]) == journal.add("q", [_entry("a")]) == [True]
    assert _all(journal) == ["a"]


def test_a_tally_counts_what_is_for_its_window() -> None:
    journal = Journal(MemoryTable())
    counted = [_entry("a", window="w", size=5), _entry("b", window="w", size=6), _entry("c", window="w", marked=True)]  # type: ignore[arg-type]
    journal.add("p", [*counted, _entry("d")])
    journal.add("p", [_entry("e", window="v", size=7)])  # type: ignore[arg-type]
    journal.add("p", [_entry("f")])

    tally = journal.tally("p", "w", since=START)
    assert (tally.files, tally.size, tally.marked, tally.last_at) == (2, 11, True, START)
    assert journal.tally("p", "w", since=START + timedelta(microseconds=1)).files == 0
    assert journal.tally("p", "none", since=START).last_at is None
