"""From the ledger and the hub to one verdict and one sentence."""

from dataclasses import replace
from pathlib import Path

import pytest

from function_app.api import explanations
from function_app.api import models as m
from function_app.api.explanations import Search, search
from function_app.intake.arrivals import rejection_of
from shared.decisions.explanations.evidence import ListedIn
from shared.errors import Code, PermanentError, TransientError
from shared.formats.manifest import BlobEntry
from shared.messages import (
    Outcome,
    RejectedEvent,
    RunRecord,
    Stage,
    Trouble,
    TroubleKind,
    Verdict,
    WindowVerdict,
)
from shared.pipelines import Pipelines
from tests.support.api import MemoryHub, MemoryServices, a_request, answer_of
from tests.support.arrivals import a_run_record, an_arrival
from tests.support.builders import a_run_request
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.ledger_arrivals import join
from tests.support.workflow import START

PIPELINE = "breast-cancer"
BLOB = "landing/part-1.csv"
ENTRY = BlobEntry(name=BLOB, etag='"0x8D1"', size=1234, md5=None, last_modified=START)
RUN = a_run_request()


@pytest.fixture
def services() -> MemoryServices:
    found = MemoryServices()
    found.hub.blobs[BLOB] = ENTRY
    return found


def ask(services: MemoryServices, client: MemoryClient | None = None, blob: str = BLOB) -> m.Why:
    said: m.Why = answer_of("why", a_request(pipeline=PIPELINE, blob=blob), services, client or MemoryClient())
    return said


def joined(services: MemoryServices) -> str:
    return str(join(services.ledger.arrivals, PIPELINE, an_arrival()).window_id)


def trained(services: MemoryServices, window_id: str, outcome: Outcome | None = None) -> None:
    services.ledger.runs.claim_run(RUN)
    record = services.ledger.runs.run(RUN.run_id)
    assert record is not None
    if outcome is not None:
        services.ledger.runs.record_run(replace(record, outcome=outcome, reason="worse"))
    verdict = WindowVerdict(
        window_id=window_id, pipeline=PIPELINE, verdict=Verdict.TRAINED, reason="in", run_id=RUN.run_id
    )
    services.ledger.arrivals.record_verdict(verdict)
    services.hub.manifests[RUN.snapshot.manifest] = {BLOB: ENTRY}


def test_a_blob_that_just_arrived_is_in_a_window(services: MemoryServices) -> None:
    window_id = joined(services)

    found = ask(services)

    assert found.verdict is Verdict.JOINED
    assert [entry.window_id for entry in found.arrivals] == [window_id]
    assert [entry.event_id for entry in found.arrivals] == ["event-1"]
    assert found.blob_now == m.BlobView(etag='"0x8D1"', size=1234, last_modified=START)
    assert found.run is None


def test_a_blob_in_a_run_shows_the_run_and_what_it_does(services: MemoryServices) -> None:
    trained(services, joined(services))
    running = Instance(custom_status={"stage": "training"}, runtime_status=RuntimeStatus.Running)
    client = MemoryClient(instances={RUN.run_id: running})

    found = ask(services, client)

    assert (found.verdict, found.run and found.run.stage) == (Verdict.TRAINED, Stage.TRAINING)
    assert f"{BLOB} is in run {RUN.run_id}, which is under way" in found.sentence


def test_a_blob_that_was_trained_says_how_the_run_ended(services: MemoryServices) -> None:
    trained(services, joined(services), Outcome.NOT_PROMOTED)

    assert "whose model was not promoted: worse" in ask(services).sentence


def test_a_blob_outside_shows_the_event_that_reported_it(services: MemoryServices) -> None:
    reason = "outside every pipeline: container is attic, pipelines watch breast-cancer"
    services.ledger.arrivals.record_all_outside([(an_arrival(container="attic", blob="landing/x.csv"), reason)])

    found = ask(services, blob="landing/x.csv")

    assert (found.verdict, found.sentence) == (Verdict.OUTSIDE, reason)
    assert [entry.container for entry in found.arrivals] == ["attic"]


def test_a_blob_whose_event_was_not_understood_says_so(services: MemoryServices) -> None:
    text = f'{{"subject": "/blobServices/default/containers/breast-cancer/blobs/{BLOB}", "data": null}}'
    event = RejectedEvent(event_id="e", reason="event: data must be an object", received_at=START, text=text)
    services.ledger.arrivals.record_rejected(event)

    found = ask(services)

    assert found.verdict is Verdict.REJECTED
    assert "event: data must be an object" in found.sentence


@pytest.mark.parametrize(("blob", "verdict"), [("landing/mäß.csv", Verdict.REJECTED), ("landing/mäß.csv.csv", None)])
def test_an_event_that_was_not_understood_is_about_the_blob_it_names_only(
    services: MemoryServices, blob: str, verdict: Verdict | None
) -> None:
    payload = {"id": "e", "subject": f"/blobServices/default/containers/breast-cancer/blobs/{blob}"}
    event = rejection_of(payload, "event: type is missing", START)
    services.ledger.arrivals.record_rejected(event)

    assert ask(services, blob="landing/mäß.csv").verdict is verdict


def test_a_blob_that_no_event_reported_is_found_in_a_snapshot(services: MemoryServices) -> None:
    services.ledger.runs.claim_run(RUN)
    services.hub.manifests[RUN.snapshot.manifest] = {BLOB: ENTRY}

    found = ask(services)

    assert (found.verdict, found.run and found.run.run_id) == (Verdict.TRAINED, RUN.run_id)
    assert "no event" in found.sentence


def test_a_blob_that_is_nowhere_is_said_to_be_nowhere(services: MemoryServices) -> None:
    found = ask(services, blob="landing/none.csv")

    assert (found.verdict, found.blob_now, found.arrivals) == (None, None, ())
    assert "there is no blob landing/none.csv" in found.sentence


@pytest.mark.parametrize(
    "trouble", [TransientError("the site is away"), PermanentError("the site is away", code=Code.BAD_CONFIGURATION)]
)
def test_a_site_that_is_away_leaves_what_the_ledger_knows(services: MemoryServices, trouble: Exception) -> None:
    trained(services, joined(services), Outcome.PROMOTED)
    services.hub.trouble = trouble

    assert "whose model was promoted" in ask(services).sentence
    assert ask(services, blob="landing/other.csv").sentence.endswith(": the site is away")


def test_an_unknown_pipeline_is_refused(services: MemoryServices) -> None:
    with pytest.raises(PermanentError, match="there is no pipeline 'none'"):
        answer_of("why", a_request(pipeline="none", blob=BLOB), services, MemoryClient())


def runs(*digests: str, blobs: int = 1) -> list[RunRecord]:
    return [
        a_run_record(run_id=f"r-{number}", snapshot_digest=digest, blobs=blobs) for number, digest in enumerate(digests)
    ]


def test_the_newest_snapshot_that_holds_the_blob_is_what_counts() -> None:
    hub = MemoryHub()
    hub.manifests = {"p/bb.json": {BLOB: ENTRY}, "p/cc.json": {BLOB: ENTRY}}
    known = runs("aa", "aa", "bb", "cc")

    found = search(hub, "p", BLOB, known)

    assert found == Search(ListedIn(run=known[2], entry=ENTRY), frozenset({"r-0", "r-1", "r-2"}))
    assert hub.read == ["p/aa.json", "p/bb.json"], "each once, and no more than needed"


def test_long_snapshots_are_not_all_read() -> None:
    hub = MemoryHub()

    found = search(hub, "p", BLOB, runs("aa", "bb", "cc", blobs=explanations.MOST_ENTRIES // 2 + 1))

    assert found == Search(None, frozenset({"r-0"}))
    assert hub.read == ["p/aa.json"]


def test_a_missing_holdout_is_said_of_data_that_lies_there_and_waits(services: MemoryServices) -> None:
    missing = Trouble(kind=TroubleKind.NO_DATA, cause="site s has no hold-out h", remedy="upload it", since=START)
    services.ledger.troubles.keep(PIPELINE, (missing,))

    found = ask(services)

    assert found.verdict is None
    assert "since 2026-05-01 10:00:00 UTC: site s has no hold-out h; upload it" in found.sentence
    assert found.troubles == (missing,)


def test_a_removed_pipeline_still_says_what_became_of_a_blob(services: MemoryServices) -> None:
    trained(services, joined(services), Outcome.PROMOTED)
    services.__dict__["pipelines"] = Pipelines(Path("/nowhere"))

    found = ask(services)
    never = ask(services, blob="landing/never.csv")

    assert (found.verdict, found.blob_now) == (Verdict.TRAINED, None)
    assert found.run is not None
    assert f"it is in run {RUN.run_id}, whose model was promoted; pipeline {PIPELINE} was removed" in found.sentence
    assert (never.verdict, never.arrivals) == (None, ())
    assert never.sentence.startswith("no event reported landing/never.csv; pipeline breast-cancer")
