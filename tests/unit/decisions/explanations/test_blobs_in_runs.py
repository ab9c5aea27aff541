"""What is said of a blob that a run trained, refused or left out."""

from dataclasses import replace

import pytest

from shared.decisions.explanations.blob_verdict import explain
from shared.decisions.explanations.evidence import Evidence, ListedIn
from shared.decisions.explanations.serving_model import ServingModel
from shared.messages import (
    Outcome,
    Verdict,
)
from tests.support.arrivals import an_arrival
from tests.support.blob_evidence import (
    BLOB,
    ENTRY,
    FAILED,
    FAULTY,
    JOINED,
    LATER,
    LISTED,
    NEWER,
    PIPELINE,
    QUARANTINED,
    RUN,
    TRAINED,
    WINDOW,
    Case,
    JudgedEvent,
    assert_explained,
    evidence,
    selecting,
)
from tests.support.workflow import START

CASES: dict[str, Case] = {
    "trained": (
        {"events": [TRAINED], "listed_in": LISTED, "searched_runs": {RUN.run_id}},
        Verdict.TRAINED,
        [
            f"{BLOB} is in run {RUN.run_id}, whose model was promoted",
            "its arrival at 2026-05-01 10:00:00 UTC",
        ],
    ),
    "trained, and its snapshot was not looked through": (
        {"events": [TRAINED]},
        Verdict.TRAINED,
        ["group of files", RUN.run_id, "was promoted"],
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
        {"events": [TRAINED], "listed_in": LISTED, "entry": None},
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
    "unchanged": (
        {"events": [JudgedEvent(an_arrival(), Verdict.UNCHANGED, "nothing changed: run x", run_id=RUN.run_id)]},
        Verdict.UNCHANGED,
        ["2026-05-01 10:00:00 UTC", "nothing changed: run x"],
    ),
    "rejected at first, and requested later": (
        {"events": [JudgedEvent(an_arrival(), Verdict.REJECTED, "no hold-out")], "listed_in": LISTED},
        Verdict.TRAINED,
        [f"is in run {RUN.run_id}", "2026-05-01 10:00:00 UTC"],
    ),
    "trained long ago, and unchanged since": (
        {
            "events": [
                JudgedEvent(an_arrival(received_at=LATER), Verdict.UNCHANGED, "nothing changed", run_id=RUN.run_id)
            ],
            "listed_in": replace(LISTED, run=replace(RUN, requested_at=START)),
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
        [FAILED.run_id, "which failed: training: line 3", "or release them"],
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
        {"listed_in": LISTED, "quarantines": [replace(QUARANTINED, fingerprint="ee" * 32)]},
        Verdict.TRAINED,
        ["whose model was promoted"],
    ),
    "found by a listing only": (
        {"listed_in": LISTED},
        Verdict.TRAINED,
        [f"is in run {RUN.run_id}", "no event"],
    ),
    "a newer version found by a listing": (
        {"events": [TRAINED], "listed_in": ListedIn(run=RUN, entry=NEWER), "entry": NEWER},
        Verdict.TRAINED,
        ["no event"],
    ),
    "a newer version that nothing reported": (
        {"events": [TRAINED], "listed_in": LISTED, "entry": NEWER},
        None,
        [
            "2026-05-01 10:01:00 UTC",
            RUN.run_id,
            "every 2 minutes",
        ],
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
        ["hold-out", "group of files"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_verdict_and_its_sentence(case: str) -> None:
    assert_explained(CASES[case])


def test_a_run_is_named_whenever_the_verdict_rests_on_one() -> None:
    assert explain(evidence(events=[TRAINED])).run_id == RUN.run_id
    assert explain(evidence(listed_in=LISTED)).run_id == RUN.run_id
    assert explain(evidence(events=[TRAINED], listed_in=LISTED, entry=NEWER)).run_id == RUN.run_id
    assert explain(evidence(events=[JOINED])).run_id is None


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
    known = evidence(events=[TRAINED], listed_in=LISTED, searched_runs={RUN.run_id})

    assert "serves now" not in explain(replace(known, serving=ServingModel(run_id=RUN.run_id))).sentence
    assert explain(replace(known, serving=SERVING)).sentence.endswith("the model of run r-serves serves now")


def test_a_file_that_is_gone_is_said_to_be_in_the_model_that_serves() -> None:
    known = evidence(events=[TRAINED], listed_in=LISTED, searched_runs={RUN.run_id}, entry=None, serving=SERVING)

    assert explain(replace(known, serving_has_it=True)).sentence.endswith(
        "the model of run r-serves, which serves now, was trained on it"
    )
    assert "was trained on it" not in explain(known).sentence
