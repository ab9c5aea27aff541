"""Events into the ledger, without a host; the ledger is the real one, in memory."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.intake.arrivals import Intake, IntakeResult, rejection_of
from shared.clients.ledger import Ledger
from shared.errors import PermanentError, TransientError
from shared.messages import ArrivalWindow, Verdict
from shared.pipelines import Pipeline, Settle
from tests.support.arrivals import a_blob_created, a_pipeline
from tests.support.examples import examples
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

SUBJECT = "/blobServices/default/containers/breast-cancer/blobs/"


def _marked(pipeline: Pipeline, marker: str) -> Pipeline:
    return pipeline.model_copy(update={"settle": pipeline.settle.model_copy(update={"done_marker": marker})})


@dataclass
class Office:
    """What an intake needs of the app's services."""

    watched: tuple[Pipeline, ...] = (a_pipeline(),)
    tables: MemoryTables = field(default_factory=MemoryTables)

    def __post_init__(self) -> None:
        self.ledger = Ledger.over(self.tables)
        self.pipelines = SimpleNamespace(all=self.watched)
        self.accounts: Mapping[str, str] = {"factory": "hub"}
        self.intake = Intake(self)  # type: ignore[arg-type]  # only what it uses of them

    def take_all(self, *events: dict[str, Any]) -> list[IntakeResult]:
        """Deliver events at the same time."""

        async def all_at_once() -> list[IntakeResult]:
            return await asyncio.gather(*(self.intake.record(event, START) for event in events))

        return asyncio.run(all_at_once())

    def record(self, *events: dict[str, Any]) -> list[list[ArrivalWindow]]:
        """Deliver events at the same time; the windows to start for each."""
        return [list(taken.start) for taken in self.take_all(*events)]

    def verdicts(self, pipeline: str | None = "breast-cancer") -> list[Verdict]:
        return [entry.verdict for entry in self.ledger.arrivals.list_arrivals(pipeline).items]


def _empty() -> dict[str, Any]:
    return {**a_blob_created()["data"], "contentLength": 0}


def _event(number: int, **changes: Any) -> dict[str, Any]:
    return a_blob_created(id=f"event-{number}", subject=f"{SUBJECT}landing/part-{number}.csv", **changes)


def test_of_a_burst_one_event_starts_the_window() -> None:
    office = Office()
    started = office.record(*(_event(n) for n in range(40)))

    assert sum(map(len, started)) == 1
    assert office.verdicts() == [Verdict.JOINED] * 40
    assert office.record(_event(0), _event(3)) == [started[0], []], "nobody noted yet that its opener started it"


def test_the_group_is_written_in_few_requests() -> None:
    office = Office()
    office.record(*(_event(n) for n in range(90)))
    assert office.tables.tables["arrivals"].requests <= 6


def test_an_event_for_two_pipelines_joins_both() -> None:
    office = Office((a_pipeline(), a_pipeline("twin")))
    [windows] = office.record(_event(1))

    assert {window.pipeline for window in windows} == {"breast-cancer", "twin"}
    assert office.verdicts() == office.verdicts("twin") == [Verdict.JOINED]


def test_the_window_is_notified_of_its_done_marker() -> None:
    office = Office((_marked(a_pipeline(), "_DONE"),))
    marker = a_blob_created(id="marker", subject=f"{SUBJECT}landing/_DONE", data=_empty())
    [[window]] = office.record(_event(1))

    assert office.take_all(marker) == [IntakeResult(wake=(window.window_id,))]
    assert office.take_all(marker) == [IntakeResult()], "a redelivery wakes nobody"
    state = office.ledger.arrivals.window_state(window, settle=Settle())
    assert (state.marked, state.arrivals) == (True, 1)


def test_a_window_that_its_marker_opens_need_not_be_woken() -> None:
    office = Office((_marked(a_pipeline(), "_DONE"),))
    [taken] = office.take_all(a_blob_created(subject=f"{SUBJECT}landing/_DONE", data=_empty()))

    assert (len(taken.start), taken.wake) == (1, ())
    assert office.ledger.arrivals.window_state(taken.start[0], settle=Settle()).marked


def test_an_event_outside_is_recorded_with_the_reason() -> None:
    office = Office()
    assert office.record(*(a_blob_created(id=f"{n}", subject=f"{SUBJECT}raw/a.csv") for n in range(3))) == [[], [], []]

    entries = office.ledger.arrivals.list_arrivals(None).items
    assert [entry.verdict for entry in entries] == [Verdict.OUTSIDE] * 3
    assert entries[0].reason == "outside every pipeline: prefix is raw/, pipelines watch landing/"


def test_an_event_that_is_not_understood_is_recorded_once_and_fails_nothing() -> None:
    office = Office()
    bad = a_blob_created(type="Microsoft.Storage.BlobDeleted")
    assert office.record(bad, _event(1), bad) == [[], office.record(_event(1))[0], []]

    [rejected] = office.ledger.arrivals.list_rejected().items
    assert rejected.reason.startswith("event: type is 'Microsoft.Storage.BlobDeleted'")
    assert json.loads(rejected.text)["subject"].endswith("part-1.csv")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@examples(30)
@given(changes=st.dictionaries(st.sampled_from(["id", "type", "source", "subject", "time", "data"]), JSON, min_size=1))
def test_whatever_comes_is_recorded_somewhere(changes: dict[str, Any]) -> None:
    office = Office()
    office.record(a_blob_created(**changes))

    rejected = office.ledger.arrivals.list_rejected().items
    assert len(office.verdicts()) + len(office.verdicts(None)) + len(rejected) == 1
    assert all(entry.reason for entry in rejected)


@examples(30)
@given(payload=st.dictionaries(st.text(max_size=10), JSON, max_size=5), other=JSON)
def test_what_is_kept_of_an_event_tells_it_from_another_and_fits(payload: dict[str, Any], other: Any) -> None:
    one = rejection_of(payload, "r", START)
    assert one == rejection_of(payload, "r", START)
    assert len(one.text) <= 600
    assert one.text.isascii()
    assert one.event_id.isascii()
    long = payload | {"long": "x" * 5000}
    assert rejection_of(long | {"\uffff": [other, 1]}, "r", START).text != rejection_of(long, "r", START).text


def test_an_event_nested_too_deeply_to_be_shown_is_kept_all_the_same() -> None:
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]
    text = rejection_of({"id": "deep", "data": nested}, "r", START).text
    assert text == "cannot be shown: RecursionError"


def _fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    "error", [TransientError("tables are down"), PermanentError("no key", code="bad_configuration")]
)
@pytest.mark.parametrize("event", [_event(1), a_blob_created(subject=f"{SUBJECT}raw/a.csv"), a_blob_created(type=None)])
def test_what_could_not_be_recorded_is_raised_so_that_it_comes_again(error: Exception, event: dict[str, Any]) -> None:
    office = Office()
    office.tables.table("arrivals").before = lambda _: _fail(error)
    with pytest.raises(type(error)):
        office.record(event)
    office.tables.table("arrivals").before = lambda _: None
    office.record(event)
    assert len(office.verdicts()) + len(office.verdicts(None)) + len(office.ledger.arrivals.list_rejected().items) == 1
