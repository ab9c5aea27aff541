"""Why a blob was trained, or was not: every case in its own words, and no case without an answer."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.explanations.blob_verdict import explain
from shared.decisions.explanations.evidence import Evidence, ListedIn
from shared.decisions.explanations.serving_model import ServingModel
from shared.formats.manifest import BlobEntry
from shared.messages import (
    Arrival,
    FailedAttempt,
    LeftOut,
    Outcome,
    Quarantine,
    RejectedEvent,
    Verdict,
    WindowState,
)
from shared.pipelines import Pipeline
from tests.support.arrivals import a_pipeline, a_run_record, an_arrival
from tests.support.workflow import START

BLOB = "landing/part-1.csv"
WINDOW = "breast-cancer-20260501T100000-aa"
LATER = START + timedelta(minutes=1)


@dataclass(frozen=True)
class JudgedEvent:
    arrival: Arrival
    verdict: Verdict = Verdict.JOINED
    reason: str = ""
    window_id: str | None = WINDOW
    run_id: str | None = None


PIPELINE = a_pipeline()
MARKED = PIPELINE.model_copy(update={"settle": PIPELINE.settle.model_copy(update={"done_marker": "_SUCCESS"})})
RUN = a_run_record(outcome=Outcome.PROMOTED, requested_at=LATER)
ENTRY = BlobEntry(name=BLOB, etag='"0x8D1"', size=1234, md5=None, last_modified=START)
NEWER = replace(ENTRY, etag='"0x8D2"', last_modified=LATER)
JOINED = JudgedEvent(an_arrival())
TRAINED = JudgedEvent(an_arrival(), Verdict.TRAINED, "3 files are trained in run", run_id=RUN.run_id)
FAULTY = LeftOut(why="faulty", count=1, first=(BLOB,))
STRAY = JudgedEvent(an_arrival(), Verdict.OUTSIDE, "outside every pipeline: container is attic", window_id=None)
TAKEN = ListedIn(run=RUN, entry=ENTRY)
OPEN = WindowState(
    window_id=WINDOW,
    pipeline="breast-cancer",
    opened_at=START,
    last_arrival_at=START,
    arrivals=1,
    quiet_seconds=5,
    longest_wait_seconds=60,
)
FAILED = a_run_record(outcome=Outcome.FAILED, reason="training: line 3", requested_at=LATER)
QUARANTINED = Quarantine(
    pipeline="breast-cancer",
    fingerprint=FAILED.fingerprint,
    snapshot_digest=FAILED.snapshot_digest,
    since=LATER,
    failures=(FailedAttempt(run_id=FAILED.run_id, reason="training: line 3"),),
)
MISUNDERSTOOD = RejectedEvent(event_id="e", reason="event: data must be an object", received_at=START, text=BLOB)


def evidence(**changes: Any) -> Evidence:
    base = Evidence(pipeline=PIPELINE, blob=BLOB, now=LATER, entry=ENTRY, runs={RUN.run_id: RUN})
    return replace(base, **changes)


def selecting(select: Any) -> Pipeline:
    return a_pipeline(select=select)


CASES: dict[str, tuple[dict[str, Any], Verdict | None, list[str]]] = {
    "joined an open window": (
        {"events": [JOINED], "window": OPEN},
        Verdict.JOINED,
        [
            f"{BLOB} joined window {WINDOW}",
            "for 5 s",
            "2026-05-01 10:01",
        ],
    ),
    "joined a window that waits for more": (
        {"events": [JOINED], "window": replace(OPEN, least_files=3, least_bytes=100)},
        Verdict.JOINED,
        ["3 files", "100 bytes"],
    ),
    "joined a window that is closed": (
        {"events": [JOINED]},
        Verdict.JOINED,
        [WINDOW, "closed"],
    ),
    "trained": (
        {"events": [TRAINED], "listed_in": TAKEN, "searched_runs": {RUN.run_id}},
        Verdict.TRAINED,
        [
            f"{BLOB} is in run {RUN.run_id}, whose model was promoted",
            "its arrival at 2026-05-01 10:00:00 UTC",
        ],
    ),
    "trained, and its snapshot was not looked through": (
        {"events": [TRAINED]},
        Verdict.TRAINED,
        [WINDOW, RUN.run_id, "was promoted"],
    ),
    "trained, not promoted": (
        {"events": [TRAINED], "runs": {RUN.run_id: replace(RUN, outcome=Outcome.NOT_PROMOTED, reason="0.1 is worse")}},
        Verdict.TRAINED,
        ["whose model was not promoted: 0.1 is worse"],
    ),
    "being trained": (
        {"events": [TRAINED], "runs": {RUN.run_id: replace(RUN, outcome=None)}},
        Verdict.TRAINED,
        ["which is under way"],
    ),
    "in a run that failed": (
        {"events": [TRAINED], "runs": {RUN.run_id: FAILED}},
        Verdict.TRAINED,
        ["which failed: training: line 3"],
    ),
    "in a run that the ledger lost": (
        {"events": [TRAINED], "runs": {}},
        Verdict.TRAINED,
        [RUN.run_id, "3 files are trained in run"],
    ),
    "its window's run took only the newest": (
        {"events": [TRAINED], "searched_runs": {RUN.run_id}, "pipeline": selecting({"latest": 2})},
        Verdict.TRAINED,
        [RUN.run_id, "newest 2 files"],
    ),
    "its window's run took only what is new": (
        {"events": [TRAINED], "searched_runs": {RUN.run_id}, "pipeline": selecting("new")},
        Verdict.TRAINED,
        [RUN.run_id, "since the last training"],
    ),
    "replaced before the listing": (
        {"events": [TRAINED], "searched_runs": {RUN.run_id}},
        Verdict.TRAINED,
        [RUN.run_id, "replaced or deleted"],
    ),
    "trained and deleted since": (
        {"events": [TRAINED], "listed_in": TAKEN, "entry": None},
        Verdict.TRAINED,
        ["deleted"],
    ),
    "trained, and written again with the same bytes": (
        {
            "events": [TRAINED],
            "listed_in": ListedIn(run=RUN, entry=replace(ENTRY, md5="ab" * 16)),
            "entry": replace(NEWER, md5="ab" * 16),
            "searched_runs": {RUN.run_id},
        },
        Verdict.TRAINED,
        [f"is in run {RUN.run_id}", "2026-05-01 10:01:00 UTC"],
    ),
    "trained, and written again with other bytes": (
        {
            "events": [TRAINED],
            "listed_in": ListedIn(run=RUN, entry=replace(ENTRY, md5="ab" * 16)),
            "entry": replace(NEWER, md5="cd" * 16),
            "searched_runs": {RUN.run_id},
        },
        None,
        ["2026-05-01 10:01:00 UTC", RUN.run_id],
    ),
    "a duplicate counts for nothing beside the first event": (
        {"events": [JudgedEvent(an_arrival(event_id="2"), Verdict.DUPLICATE, "duplicate of"), JOINED], "window": OPEN},
        Verdict.JOINED,
        [f"joined window {WINDOW}"],
    ),
    "nothing but duplicates": (
        {"events": [JudgedEvent(an_arrival(), Verdict.DUPLICATE, "duplicate of an event seen 3 s earlier")]},
        Verdict.DUPLICATE,
        ["duplicate of an event seen 3 s earlier"],
    ),
    "unchanged": (
        {"events": [JudgedEvent(an_arrival(), Verdict.UNCHANGED, "nothing changed: run x", run_id=RUN.run_id)]},
        Verdict.UNCHANGED,
        ["2026-05-01 10:00:00 UTC", "nothing changed: run x"],
    ),
    "rejected, since there is no hold-out": (
        {"events": [JudgedEvent(an_arrival(), Verdict.REJECTED, "site factory has no hold-out; upload it")]},
        Verdict.REJECTED,
        ["site factory has no hold-out; upload it"],
    ),
    "rejected at first, and requested later": (
        {"events": [JudgedEvent(an_arrival(), Verdict.REJECTED, "no hold-out")], "listed_in": TAKEN},
        Verdict.TRAINED,
        [f"is in run {RUN.run_id}", "2026-05-01 10:00:00 UTC"],
    ),
    "trained long ago, and unchanged since": (
        {
            "events": [
                JudgedEvent(an_arrival(received_at=LATER), Verdict.UNCHANGED, "nothing changed", run_id=RUN.run_id)
            ],
            "listed_in": replace(TAKEN, run=replace(RUN, requested_at=START)),
        },
        Verdict.UNCHANGED,
        ["nothing changed"],
    ),
    "quarantined by its window": (
        {
            "events": [
                JudgedEvent(an_arrival(), Verdict.QUARANTINED, "failed 3 times; POST .../release", run_id=RUN.run_id)
            ]
        },
        Verdict.QUARANTINED,
        ["failed 3 times; POST .../release"],
    ),
    "quarantined though its window only saw it start": (
        {"events": [TRAINED], "listed_in": ListedIn(run=FAILED, entry=ENTRY), "quarantines": [QUARANTINED]},
        Verdict.QUARANTINED,
        [FAILED.run_id, "which failed: training: line 3", "POST /api/pipelines/breast-cancer/release"],
    ),
    "quarantined and mended": (
        {
            "events": [TRAINED],
            "listed_in": ListedIn(run=FAILED, entry=ENTRY),
            "quarantines": [QUARANTINED],
            "entry": NEWER,
        },
        None,
        ["2026-05-01 10:01:00 UTC", FAILED.run_id],
    ),
    "another set of data is quarantined": (
        {"listed_in": TAKEN, "quarantines": [replace(QUARANTINED, fingerprint="ee" * 32)]},
        Verdict.TRAINED,
        ["whose model was promoted"],
    ),
    "found by a listing only": (
        {"listed_in": TAKEN},
        Verdict.TRAINED,
        [f"is in run {RUN.run_id}", "no event"],
    ),
    "a newer version found by a listing": (
        {"events": [TRAINED], "listed_in": ListedIn(run=RUN, entry=NEWER), "entry": NEWER},
        Verdict.TRAINED,
        ["no event"],
    ),
    "a newer version that joined": (
        {
            "events": [JudgedEvent(an_arrival(etag="0x8D2")), TRAINED],
            "listed_in": TAKEN,
            "entry": NEWER,
            "window": OPEN,
        },
        Verdict.JOINED,
        [f"joined window {WINDOW}"],
    ),
    "a newer version that nothing reported": (
        {"events": [TRAINED], "listed_in": TAKEN, "entry": NEWER},
        None,
        [
            "2026-05-01 10:01:00 UTC",
            RUN.run_id,
            "every 2 minutes",
        ],
    ),
    "a newer version that nothing reported, before the older was decided on": (
        {"events": [JOINED], "entry": NEWER, "window": OPEN},
        None,
        ["an older version", WINDOW],
    ),
    "outside by its prefix": (
        {"blob": "raw/a.csv", "entry": None},
        Verdict.OUTSIDE,
        ["raw/a.csv", "breast-cancer", "landing/"],
    ),
    "outside by its pattern": (
        {"blob": "landing/a.txt"},
        Verdict.OUTSIDE,
        ["landing/a.txt", "breast-cancer", "landing/*.csv"],
    ),
    "in another container": (
        {"entry": None, "outside_events": [STRAY]},
        Verdict.OUTSIDE,
        ["outside every pipeline: container is attic"],
    ),
    "outside when it came, watched now": (
        {"outside_events": [STRAY]},
        None,
        ["outside every pipeline: container is attic", "every 2 minutes"],
    ),
    "empty": ({"entry": replace(ENTRY, size=0)}, Verdict.OUTSIDE, ["is empty (0 bytes)"]),
    "emptied": (
        {"events": [TRAINED], "listed_in": TAKEN, "entry": replace(NEWER, size=0)},
        Verdict.OUTSIDE,
        ["is empty (0 bytes)"],
    ),
    "its event could not be read": (
        {"rejected_events": [MISUNDERSTOOD]},
        Verdict.REJECTED,
        ["2026-05-01 10:00:00 UTC", "event: data must be an object", "exists"],
    ),
    "its event could not be read, and it is not there": (
        {"rejected_events": [MISUNDERSTOOD], "entry": None},
        Verdict.REJECTED,
        ["does not exist"],
    ),
    "there and not seen yet": (
        {},
        None,
        ["2026-05-01 10:00:00 UTC", "no event", "every 2 minutes"],
    ),
    "there and not seen for too long": (
        {"now": START + timedelta(hours=1)},
        None,
        ["keep_watch"],
    ),
    "there, and a window is open": ({"window": OPEN}, None, [WINDOW]),
    "there, and only the newest are taken": (
        {"pipeline": selecting({"latest": 2})},
        None,
        ["newest 2 files"],
    ),
    "not there": (
        {"entry": None},
        None,
        ["landing/part-1.csv", "container breast-cancer", "site factory"],
    ),
    "the site does not answer": (
        {"entry": None, "trouble": "the blob storage of site factory does not answer"},
        None,
        ["the blob storage of site factory does not answer"],
    ),
    "the site does not answer, the ledger knows": (
        {"entry": None, "trouble": "no answer", "events": [TRAINED]},
        Verdict.TRAINED,
        ["whose model was promoted"],
    ),
    "the hold-out, reported": (
        {
            "blob": "holdout/holdout.csv",
            "events": [JudgedEvent(TRAINED.arrival, Verdict.TRAINED, "r", WINDOW, RUN.run_id)],
        },
        Verdict.TRAINED,
        ["hold-out", WINDOW],
    ),
    "the hold-out, never reported": ({"blob": "holdout/holdout.csv"}, None, ["no event"]),
    "the hold-out, missing": ({"blob": "holdout/holdout.csv", "entry": None}, None, ["does not exist"]),
    "the done-marker": (
        {"blob": "landing/_SUCCESS", "pipeline": MARKED, "events": [JOINED], "window": OPEN},
        Verdict.JOINED,
        ["done-marker", WINDOW],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_verdict_and_its_sentence(case: str) -> None:
    changes, verdict, says = CASES[case]

    found = explain(evidence(**changes))

    assert found.verdict == verdict, found.sentence
    for text in says:
        assert text in found.sentence


def test_a_run_is_named_whenever_the_verdict_rests_on_one() -> None:
    assert explain(evidence(events=[TRAINED])).run_id == RUN.run_id
    assert explain(evidence(listed_in=TAKEN)).run_id == RUN.run_id
    assert explain(evidence(events=[TRAINED], listed_in=TAKEN, entry=NEWER)).run_id == RUN.run_id
    assert explain(evidence(events=[JOINED])).run_id is None


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
TOLD = st.builds(
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
    events=st.lists(TOLD, max_size=3),
    outside_events=st.lists(TOLD, max_size=2),
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


def test_a_file_that_was_left_out_for_a_fault_was_not_trained() -> None:
    listed_in = ListedIn(run=replace(RUN, left_out=(FAULTY,)), entry=ENTRY)
    events = explain(
        Evidence(pipeline=PIPELINE, blob=BLOB, now=LATER, entry=ENTRY, listed_in=listed_in, events=(TRAINED,))
    )

    assert events.verdict is Verdict.REJECTED
    assert BLOB in events.sentence
    assert RUN.run_id in events.sentence
    assert "left out" in events.sentence


SERVING = ServingModel(run_id="r-serves")


def test_a_model_that_was_promoted_once_does_not_pass_for_the_one_that_serves() -> None:
    known = evidence(events=[TRAINED], listed_in=TAKEN, searched_runs={RUN.run_id})

    assert "serves now" not in explain(replace(known, serving=ServingModel(run_id=RUN.run_id))).sentence
    assert explain(replace(known, serving=SERVING)).sentence.endswith("the model of run r-serves serves now")


def test_a_file_that_is_gone_is_said_to_be_in_the_model_that_serves() -> None:
    known = evidence(events=[TRAINED], listed_in=TAKEN, searched_runs={RUN.run_id}, entry=None, serving=SERVING)

    assert explain(replace(known, serving_has_it=True)).sentence.endswith(
        "the model of run r-serves, which serves now, was trained on it"
    )
    assert "was trained on it" not in explain(known).sentence


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
