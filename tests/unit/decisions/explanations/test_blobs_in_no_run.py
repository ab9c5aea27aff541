"""What is said of a blob that waits, lies outside, could not be read, or was never seen."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.messages import Verdict
from tests.support.arrivals import an_arrival
from tests.support.blob_evidence import (
    BLOB,
    ENTRY,
    JOINED,
    LISTED,
    MARKED,
    MISUNDERSTOOD,
    NEWER,
    OPEN,
    STRAY,
    TRAINED,
    Case,
    JudgedEvent,
    assert_explained,
    selecting,
)
from tests.support.workflow import START

CASES: dict[str, Case] = {
    "joined an open window": (
        {"events": [JOINED], "window": OPEN},
        Verdict.JOINED,
        [
            f"{BLOB} joined a group of files",
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
        ["group of files", "closed"],
    ),
    "a duplicate counts for nothing beside the first event": (
        {"events": [JudgedEvent(an_arrival(event_id="2"), Verdict.DUPLICATE, "duplicate of"), JOINED], "window": OPEN},
        Verdict.JOINED,
        ["joined a group of files"],
    ),
    "nothing but duplicates": (
        {"events": [JudgedEvent(an_arrival(), Verdict.DUPLICATE, "duplicate of an event seen 3 s earlier")]},
        Verdict.DUPLICATE,
        ["duplicate of an event seen 3 s earlier"],
    ),
    "rejected, since there is no hold-out": (
        {"events": [JudgedEvent(an_arrival(), Verdict.REJECTED, "site factory has no hold-out; upload it")]},
        Verdict.REJECTED,
        ["site factory has no hold-out; upload it"],
    ),
    "a newer version that joined": (
        {
            "events": [JudgedEvent(an_arrival(etag="0x8D2")), TRAINED],
            "listed_in": LISTED,
            "entry": NEWER,
            "window": OPEN,
        },
        Verdict.JOINED,
        ["joined a group of files"],
    ),
    "a newer version that nothing reported, before the older was decided on": (
        {"events": [JOINED], "entry": NEWER, "window": OPEN},
        None,
        ["an older version", "group of files"],
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
        {"events": [TRAINED], "listed_in": LISTED, "entry": replace(NEWER, size=0)},
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
    "there, and a window is open": ({"window": OPEN}, None, ["group of files"]),
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
    "the hold-out, never reported": ({"blob": "holdout/holdout.csv"}, None, ["no event"]),
    "the hold-out, missing": ({"blob": "holdout/holdout.csv", "entry": None}, None, ["does not exist"]),
    "the done-marker": (
        {"blob": "landing/_SUCCESS", "pipeline": MARKED, "events": [JOINED], "window": OPEN},
        Verdict.JOINED,
        ["done-marker", "group of files"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_verdict_and_its_sentence(case: str) -> None:
    assert_explained(CASES[case])
