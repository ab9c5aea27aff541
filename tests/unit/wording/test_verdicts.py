"""What ``GET /api/why`` answers."""

from dataclasses import replace
from datetime import timedelta

from shared.decisions.arrivals.routing import route
from shared.decisions.explanations.blob_verdict import explain
from shared.decisions.explanations.removed_pipeline import explain_past
from shared.decisions.explanations.serving_model import ServingModel, serving_text, serving_text_after_refusal
from shared.decisions.reconciliation.troubles import Aspect, Finding, blocking_text, merge_findings
from shared.messages import LeftOut, Outcome, TroubleKind, Verdict
from tests.support import blob_evidence as blobs
from tests.support.arrivals import a_pipeline, a_run_record, an_arrival
from tests.support.builders import a_run_request
from tests.support.golden import compare
from tests.support.workflow import START
from tests.unit.decisions.explanations import test_blobs_in_no_run, test_blobs_in_runs


def test_verdicts_on_blobs() -> None:
    cases = test_blobs_in_no_run.CASES | test_blobs_in_runs.CASES
    sentences = {case: explain(blobs.evidence(**changes)).sentence for case, (changes, *_) in cases.items()}
    faulty = replace(blobs.RUN, left_out=(LeftOut(why="faulty", count=1, first=(blobs.BLOB,)),))
    known = blobs.evidence(events=[blobs.TRAINED], listed_in=replace(blobs.LISTED, run=faulty))
    sentences["left out for a fault"] = explain(known).sentence
    serves = ServingModel(run_id="r-serves")
    known = blobs.evidence(events=[blobs.TRAINED], listed_in=blobs.LISTED, serving=serves)
    sentences["promoted once, another model serves now"] = explain(known).sentence
    known = blobs.evidence(
        events=[blobs.TRAINED], listed_in=blobs.LISTED, serving=serves, serving_has_it=True, entry=None
    )
    sentences["deleted, but the model that serves was trained on it"] = explain(known).sentence
    troubles = merge_findings((), {Aspect.DATA: [Finding(TroubleKind.NO_DATA, "site factory has no hold-out")]}, START)
    known = blobs.evidence(entry=None, troubles=troubles)
    sentences["not there, and the pipeline cannot train"] = explain(known).sentence

    compare("verdicts_on_blobs", "What `GET /api/why` answers about a blob.", sentences)


def test_verdicts_on_blobs_of_removed_pipelines() -> None:
    events, runs = [blobs.TRAINED], {blobs.RUN.run_id: blobs.RUN}
    state = "pipeline breast-cancer: its file was removed"
    sentences = {
        "no event": explain_past(blobs.BLOB, state, [], {}).sentence,
        "joined, never decided": explain_past(blobs.BLOB, state, [blobs.JOINED], {}).sentence,
        "trained": explain_past(blobs.BLOB, state, events, runs).sentence,
        "rejected": explain_past(
            blobs.BLOB, state, [blobs.JudgedEvent(an_arrival(), Verdict.REJECTED, "there is no hold-out")], {}
        ).sentence,
    }

    compare("verdicts_of_removed_pipelines", "What `GET /api/why` answers when the pipeline's file is gone.", sentences)


def test_verdicts_outside_every_pipeline() -> None:
    pipelines = [a_pipeline()]
    cases = {
        "no pipeline": route(an_arrival(), [], {}),
        "another account": route(an_arrival(account="other"), pipelines, {"factory": "hub"}),
        "another container": route(an_arrival(container="attic"), pipelines, {}),
        "another folder": route(an_arrival(blob="raw/a.csv"), pipelines, {}),
        "another kind of file": route(an_arrival(blob="landing/a.txt"), pipelines, {}),
        "a name that cannot be listed": route(an_arrival(blob="landing/a\x01.csv"), pipelines, {}),
        "an upload that has only begun": route(an_arrival(api="CreateFile"), pipelines, {}),
        "an empty blob": route(an_arrival(size=0), pipelines, {}),
    }

    compare(
        "verdicts_on_events",
        "Why an event concerns no pipeline.",
        {case: found.reason for case, found in cases.items()},
    )


def test_the_model_in_force() -> None:
    snapshot = replace(a_run_request().snapshot, blobs=3, content="c" * 64, listing="l" * 64)
    serving = ServingModel(run_id="r-serves", snapshot=snapshot)
    before = [a_run_record(run_id="r-old", outcome=Outcome.PROMOTED)]
    sentences = {
        "nothing serves": serving_text(None),
        "its snapshot is unknown": serving_text(ServingModel(run_id="r-serves")),
        "its snapshot is known": serving_text(serving),
        "the same files": serving_text(serving, listing="l" * 64),
        "other files": serving_text(serving, listing="m" * 64),
        "the same data were promoted once": serving_text_after_refusal(serving, before, "r-old", listing="m" * 64),
    }

    compare("serving_model", "What a refusal and a preview say of the model that serves.", sentences)


def test_what_stops_a_pipeline() -> None:
    sentences = {}
    for number, kind in enumerate(TroubleKind):
        findings = {aspect: [Finding(kind, "(the cause)")] for aspect in Aspect}
        (trouble, *_) = merge_findings((), findings, START + timedelta(minutes=number))
        sentences[kind.value] = blocking_text([trouble]) or f"trains all the same; {trouble.cause} ({trouble.remedy})"

    compare(
        "troubles",
        "What keeps a pipeline from training, as `GET /api/why` and the list of pipelines show it.",
        sentences,
    )
