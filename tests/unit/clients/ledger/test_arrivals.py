from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clients.ledger import Ledger
from shared.clients.ledger.tables import Row
from shared.errors import Code, PermanentError
from shared.messages import RejectedEvent, Verdict
from shared.pipelines import Settle
from tests.support.arrivals import an_arrival
from tests.support.ledger_arrivals import PIPELINE, a_twin_of, at, join, join_all, opened, verdict_on, verdicts
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

SETTLE = Settle(quiet_seconds=5, longest_wait_seconds=60, least_files=3, least_bytes=None)


class TestVerdicts:
    def test_one_is_given_to_every_arrival_also_to_one_recorded_after_it(self, ledger: Ledger) -> None:
        window = opened(ledger, at(0))
        join(ledger.arrivals, PIPELINE, at(1))
        assert [verdict for _, verdict in verdicts(ledger)] == [Verdict.JOINED, Verdict.JOINED]
        assert ledger.arrivals.verdict_on(PIPELINE, window.window_id) is None

        ledger.arrivals.record_verdict(verdict_on(window))
        ledger.arrivals.record_verdict(verdict_on(window))
        join(ledger.arrivals, PIPELINE, at(2))  # joined before the close, recorded late

        entries = ledger.arrivals.list_arrivals(PIPELINE).items
        assert [entry.arrival.event_id for entry in entries] == ["event-2", "event-1", "event-0"]
        assert {(e.verdict, e.reason, e.run_id, e.window_id) for e in entries} == {
            (Verdict.TRAINED, "trained in run r", "r", window.window_id)
        }
        assert ledger.arrivals.verdict_on(PIPELINE, window.window_id) == verdict_on(window)

    def test_an_arrival_outside_is_kept_with_its_reason(self, ledger: Ledger) -> None:
        odd = an_arrival(event_id="/\\#?\x01é", blob="raw/\u2028é?.csv")

        assert ledger.arrivals.record_all_outside([(odd, "outside every pipeline")])[0]
        assert not ledger.arrivals.record_all_outside([(odd, "outside every pipeline")])[0]

        [entry] = ledger.arrivals.list_arrivals(None).items
        assert (entry.arrival, entry.verdict, entry.reason) == (odd, Verdict.OUTSIDE, "outside every pipeline")

    def test_several_outside_are_known_by_their_event(self, ledger: Ledger) -> None:
        found = [(at(0, "one"), "r"), (a_twin_of(at(0, "one"), "two", 1), "r"), (at(0, "one"), "r")]

        assert ledger.arrivals.record_all_outside(found) == [True, True, False]
        assert ledger.arrivals.record_all_outside([*found, (at(2), "r")]) == [False, False, False, True]
        assert len(verdicts(ledger, None)) == 3

    def test_the_longest_names_and_reasons_fit(self, ledger: Ledger) -> None:
        wide = "\U0001f600"
        long = at(0, wide * 256, container=wide * 63, blob=wide * 1024, etag=wide * 256, api=wide * 256)
        assert ledger.arrivals.record_all_outside([(long, f"outside every pipeline: {long.blob} does not match")])[0]
        assert join(ledger.arrivals, PIPELINE, long).new

    def test_a_rejected_event_is_kept_once(self, ledger: Ledger) -> None:
        event = RejectedEvent(event_id="é/?", reason="event: type is missing", received_at=START, text='{"a": 1}')

        assert ledger.arrivals.record_rejected(event)
        assert not ledger.arrivals.record_rejected(replace(event, received_at=START + timedelta(seconds=9)))
        assert ledger.arrivals.record_rejected(replace(event, text="{}", received_at=START + timedelta(seconds=5)))

        assert [entry.text for entry in ledger.arrivals.list_rejected().items] == ["{}", '{"a": 1}']
        assert ledger.arrivals.list_rejected().items[1] == event


class TestLists:
    def test_the_newest_come_first_page_by_page(self, ledger: Ledger) -> None:
        for group in ([5, 6, 7], [1], [9, 10, 11, 12], [3]):
            join_all(ledger, [at(n) for n in group])
        newest_first = [f"event-{n}" for n in (12, 11, 10, 9, 7, 6, 5, 3, 1)]

        for size in range(1, 11):
            shown: list[str] = []
            token = None
            while token or not shown:
                page = ledger.arrivals.list_arrivals(PIPELINE, limit=size, after=token)
                shown += [entry.arrival.event_id for entry in page.items]
                token = page.next
                assert len(page.items) == size or token is None
            assert shown == newest_first

    def test_a_page_that_ends_with_the_list_says_so(self, ledger: Ledger) -> None:
        join_all(ledger, [at(1), at(2)])
        assert ledger.arrivals.list_arrivals(PIPELINE, limit=2).next is None
        assert ledger.arrivals.list_arrivals("digits").items == ()

    @pytest.mark.parametrize("token", ["", "nonsense", "g-1.0", "a/../b", "g-" + "1" * 18 + "-00000000.1\n", "é"])
    def test_a_token_nobody_gave_is_refused(self, ledger: Ledger, token: str) -> None:
        with pytest.raises(PermanentError, match="continuation") as refused:
            ledger.arrivals.list_arrivals(PIPELINE, after=token)
        assert refused.value.code is Code.BAD_REQUEST

    def test_every_event_about_a_blob_is_found_by_its_name(self, ledger: Ledger) -> None:
        blob = "landing/part-1.csv"
        one = at(0, "one", blob=blob)
        window = opened(ledger, one)
        join(ledger.arrivals, PIPELINE, a_twin_of(one, "two", 3))
        ledger.arrivals.close_window(window)
        ledger.arrivals.record_verdict(verdict_on(window))
        join(ledger.arrivals, PIPELINE, at(9, "three", blob=blob, etag="0x8D2"))
        join(ledger.arrivals, PIPELINE, at(5, "other", blob=f"{blob}.old"))
        join(ledger.arrivals, "digits", at(5, "elsewhere", blob=blob))

        found = ledger.arrivals.arrivals_of(PIPELINE, blob)

        assert [(entry.arrival.event_id, entry.verdict) for entry in found] == [
            ("three", Verdict.JOINED),
            ("two", Verdict.DUPLICATE),
            ("one", Verdict.TRAINED),
        ]
        assert found == [e for e in ledger.arrivals.list_arrivals(PIPELINE).items if e.arrival.blob == blob]
        assert ledger.arrivals.arrivals_of(PIPELINE, blob, limit=1) == found[:1]
        assert ledger.arrivals.arrivals_of(PIPELINE, "landing/never.csv") == []

    def test_outside_all_pipelines_any_container_counts(self, ledger: Ledger) -> None:
        for number, container in enumerate(("a", "b")):
            ledger.arrivals.record_all_outside([(at(number, container, blob="x.csv", container=container), "outside")])
        assert [e.arrival.container for e in ledger.arrivals.arrivals_of(None, "x.csv")] == ["b", "a"]


def test_of_a_file_that_was_written_thousands_of_times_only_the_newest_texts_are_read(
    ledger: Ledger, tables: MemoryTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, shown, name = 2_000, 20, "landing/again.csv"
    came = [at(number, blob=name, etag=f"0x{number}") for number in range(versions)]
    for start in range(0, versions, 50):
        join_all(ledger, came[start : start + 50])
    (unfinished,) = ledger.arrivals.unfinished_windows()
    ledger.arrivals.record_verdict(verdict_on(unfinished.window))
    table, selected = tables.tables["arrivals"], list[Sequence[str]]()
    rows, asked, read = table.rows, table.requests, table.rows_read

    def noted(*place: Any, **how: Any) -> Iterator[Row]:
        selected.append(how.get("select", ()))
        return rows(*place, **how)

    monkeypatch.setattr(table, "rows", noted)
    found = ledger.arrivals.arrivals_of(PIPELINE, name, limit=shown)

    assert [entry.arrival for entry in found] == came[: -shown - 1 : -1]
    assert selected == [["group", "number"]]
    assert table.requests - asked == 3, "the places, one group with the newest twenty, the verdict on their window"
    assert table.rows_read - read == versions + 2
