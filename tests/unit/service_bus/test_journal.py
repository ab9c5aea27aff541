import stat
import uuid
from pathlib import Path

import pytest

from local_stack.service_bus.journal import SqliteJournal
from local_stack.service_bus.records import DeadLetter, Lock, Message, Put, Remove, Seen
from local_stack.sqlite_files import StateFileError
from tests.unit.service_bus.broker import Clock, draft, entities, queue


def message(sequence: int, **more: object) -> Message:
    return Message(sequence=sequence, source_sequence=1, content=b"\x00\xff", enqueued_at=1.25, **more)  # type: ignore[arg-type]


def test_everything_comes_back_from_the_file(tmp_path: Path) -> None:
    kept = message(2, delivery_count=1, dead_letter=DeadLetter("", "text", "orders"))
    journal = SqliteJournal(tmp_path / "journal")
    journal.write([Put("q", message(1)), Put("q", kept), Put("q", message(3)), Seen("q", "id", 7.0)])
    journal.write([Remove("q", 1), Remove("q", 3), Put("other", message(1, lock=Lock(uuid.uuid4(), 60.0)))])
    journal.close()

    again = SqliteJournal(tmp_path / "journal")
    stored, other = again.load("q"), again.load("other")
    again.forget_before(7.0)

    assert (stored.messages, stored.last_sequence, stored.seen) == ([kept], 3, {"id": 7.0})
    assert other.messages[0].lock is not None
    assert again.load("q").seen == again.load("unknown").seen == {}


def test_sequence_numbers_go_on_after_a_restart() -> None:
    journal = SqliteJournal(":memory:")
    first = entities(queue()).broker(journal, Clock())
    first.inbox("orders").send([draft("a")])
    ((token, _),) = first.queue("orders").lock(1)
    first.queue("orders").complete(token)

    second = entities(queue()).broker(journal, Clock())
    second.inbox("orders").send([draft("b")])

    assert [kept.sequence for kept in second.queue("orders").peek(0, 9)] == [2]


def test_a_second_broker_is_refused(tmp_path: Path) -> None:
    first = SqliteJournal(tmp_path / "journal")
    first.write([Put("q", message(1))])

    with pytest.raises(StateFileError, match="another process"):
        SqliteJournal(tmp_path / "journal", patience=0.0)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal")
    journal._connection.execute("PRAGMA user_version = 9")
    journal.close()

    with pytest.raises(StateFileError, match="format 9"):
        SqliteJournal(tmp_path / "journal")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"something else entirely" * 100)

    with pytest.raises(StateFileError):
        SqliteJournal(tmp_path / "journal")


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "journal").close()

    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o600
