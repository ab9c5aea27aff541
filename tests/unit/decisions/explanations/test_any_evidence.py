"""No evidence without a verdict that it supports, and without a sentence about the blob."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.explanations.blob_verdict import explain
from shared.decisions.explanations.evidence import Evidence, ListedIn
from shared.messages import (
    Outcome,
    Verdict,
)
from tests.support.arrivals import a_run_record, an_arrival
from tests.support.blob_evidence import (
    BLOB,
    ENTRY,
    MARKED,
    MISUNDERSTOOD,
    OPEN,
    PIPELINE,
    QUARANTINED,
    WINDOW,
    JudgedEvent,
    selecting,
)
from tests.support.workflow import START

BLOBS = st.sampled_from(
    [BLOB, "raw/a.csv", "landing/a.txt", "landing/_SUCCESS", "holdout/holdout.csv", "\x00", "é/" * 9]
)
TIMES = st.integers(-5000, 5000).map(lambda seconds: START + timedelta(seconds=seconds))
ETAGS = st.sampled_from(["", "0x8D1", '"0x8D1"', '"0x8D2"'])
RUN_IDS = st.sampled_from([None, "r-1", "r-2"])
TEXTS = st.text(max_size=5).filter(lambda text: "None" not in text)
RUNS = st.builds(
    a_run_record,
    run_id=st.sampled_from(["r-1", "r-2"]),
    outcome=st.none() | st.sampled_from(Outcome),
    reason=TEXTS,
    requested_at=TIMES,
    fingerprint=st.sampled_from(["aa" * 32, "bb" * 32]),
)
JUDGED_EVENTS = st.builds(
    JudgedEvent,
    st.builds(an_arrival, etag=ETAGS, occurred_at=TIMES, received_at=TIMES),
    st.sampled_from(Verdict),
    TEXTS,
    st.sampled_from([None, WINDOW]),
    RUN_IDS,
)
ENTRIES = st.builds(replace, st.just(ENTRY), etag=ETAGS, size=st.integers(0, 2), last_modified=TIMES)
EVIDENCE = st.builds(
    Evidence,
    pipeline=st.sampled_from([PIPELINE, MARKED, selecting("new"), selecting({"latest": 3})]),
    blob=BLOBS,
    now=TIMES,
    events=st.lists(JUDGED_EVENTS, max_size=3),
    outside_events=st.lists(JUDGED_EVENTS, max_size=2),
    rejected_events=st.lists(st.just(MISUNDERSTOOD), max_size=1),
    entry=st.none() | ENTRIES,
    trouble=st.sampled_from(["", "no answer"]),
    listed_in=st.none() | st.builds(ListedIn, run=RUNS, entry=ENTRIES),
    searched_runs=st.frozensets(st.sampled_from(["r-1", "r-2"])),
    runs=st.lists(RUNS, max_size=2).map(lambda runs: {run.run_id: run for run in runs}),
    window=st.none() | st.builds(replace, st.just(OPEN), window_id=st.sampled_from([WINDOW, "other"]), opened_at=TIMES),
    quarantines=st.lists(
        st.builds(replace, st.just(QUARANTINED), fingerprint=st.sampled_from(["aa" * 32, "bb" * 32])), max_size=2
    ),
)


@given(known=EVIDENCE)
def test_whatever_is_known_there_is_one_verdict_and_one_sentence_about_the_blob(known: Evidence) -> None:
    found = explain(known)

    assert found.verdict is None or found.verdict in set(Verdict)
    assert known.blob in found.sentence or any(stray.reason == found.sentence for stray in known.outside_events)
    assert "None" not in found.sentence


@given(known=EVIDENCE)
def test_a_verdict_always_rests_on_something(known: Evidence) -> None:
    found = explain(known)

    given_by_events = {event.verdict for event in [*known.events, *known.outside_events]}
    if found.verdict in {Verdict.JOINED, Verdict.UNCHANGED, Verdict.DUPLICATE}:
        assert found.verdict in given_by_events
    if found.verdict is Verdict.TRAINED:
        assert known.listed_in is not None or Verdict.TRAINED in given_by_events
    if found.verdict is Verdict.QUARANTINED:
        assert known.quarantines or Verdict.QUARANTINED in given_by_events
    if found.verdict is Verdict.REJECTED:
        assert known.rejected_events or Verdict.REJECTED in given_by_events
