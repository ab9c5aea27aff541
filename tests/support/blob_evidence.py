"""What the app may know about a blob: evidence for verdicts, made of one blob, one window and one run."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared.decisions.explanations.blob_verdict import explain
from shared.decisions.explanations.evidence import Evidence, ListedIn
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
LISTED = ListedIn(run=RUN, entry=ENTRY)
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


Case = tuple[dict[str, Any], Verdict | None, list[str]]  # what is known, the verdict, what its sentence must name


def assert_explained(case: Case) -> None:
    """The verdict of the case, and a sentence that names what it must."""
    changes, verdict, says = case

    found = explain(evidence(**changes))

    assert found.verdict == verdict, found.sentence
    for text in says:
        assert text in found.sentence
