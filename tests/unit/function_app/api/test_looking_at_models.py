"""Targets, models, and runs side by side."""

from dataclasses import replace
from typing import Any

import pytest

from function_app.api import delivery_models as d
from function_app.problems import RefusedError
from shared.errors import TransientError
from shared.formats.manifest import BlobEntry
from shared.messages import Comparison, Outcome, RunRecord
from tests.support.api import MemoryServices, a_request, answer_of
from tests.support.builders import a_plan, a_run_request, a_snapshot
from tests.support.durable_client import MemoryClient
from tests.support.hands import NEW, OLD, PIPELINE, TARGET, HandsWorld, a_run, image_of
from tests.support.workflow import START

SAME = {"holdout": "rows", "evaluator": "code"}
LEFT = a_run_request(
    run_id="breast-cancer-aaaaaaaaaaaa-1",
    fingerprint="a" * 64,
    snapshot=a_snapshot(manifest="left.json", holdout="rows"),
    parameters={"depth": 3, "rate": 0.1},
    requested_by="left",
    evaluator="code",
)
RIGHT = replace(
    LEFT,
    run_id="breast-cancer-bbbbbbbbbbbb-1",
    fingerprint="b" * 64,
    snapshot=a_snapshot(manifest="right.json", holdout="rows"),
    parameters={"depth": 5, "rate": 0.1},
    requested_by="right",
)
INTERVAL = Comparison(rows=100, difference=-0.1, low=-0.2, high=-0.05, level=0.95, resamples=100, method="bca")


def entry(name: str) -> BlobEntry:
    return BlobEntry(name=name, etag="1", size=1, md5=name, last_modified=START)


@pytest.fixture
def services() -> MemoryServices:
    services = MemoryServices()
    for run, value in ((LEFT, 0.9), (RIGHT, 0.95)):
        services.ledger.runs.claim_run(run)
        ended(services, run.run_id, Outcome.PROMOTED, metrics={"accuracy": value, f"only_{run.requested_by}": 1.0})
    services.hub.manifests = {
        "left.json": {name: entry(name) for name in ("a", "b")},
        "right.json": {name: entry(name) for name in ("b", "c", "d")},
    }
    return services


def ended(services: MemoryServices, run_id: str, outcome: Outcome, **changes: Any) -> RunRecord:
    record = services.ledger.runs.run(run_id)
    assert record is not None
    record = replace(record, outcome=outcome, ended_at=START, **changes)
    services.ledger.runs.record_run(record)
    return record


def compared(services: MemoryServices, left: str = LEFT.run_id, right: str = RIGHT.run_id) -> d.Compared:
    found: d.Compared = answer_of("compare_runs", a_request(left=left, right=right), services)
    return found


def test_two_runs_side_by_side(services: MemoryServices) -> None:
    found = compared(services)

    assert found.parameters == (d.ComparedValue(name="depth", left=3, right=5),)
    assert found.files is not None
    assert (found.files.added, found.files.first_added, found.files.removed) == (2, ("c", "d"), 1)
    by_name = {metric.name: metric for metric in found.metrics}
    assert by_name["accuracy"].difference == pytest.approx(0.05)
    assert (by_name["only_left"].right, by_name["only_left"].difference) == (None, None)
    assert found.comparable
    assert found.interval is None
    assert "accuracy is 0.95 and was 0.9" in found.sentence


def test_files_that_cannot_be_read_are_said_to_be_unknown(services: MemoryServices) -> None:
    other = replace(RIGHT, run_id="breast-cancer-cccccccccccc-1", requested_by="c", fingerprint="c" * 64)
    other = replace(other, snapshot=replace(other.snapshot, manifest="gone.json"))
    services.ledger.runs.claim_run(other)
    services.hub.trouble = TransientError("the hub does not answer")

    found = compared(services, right=other.run_id)

    assert found.files is None
    assert "the hub does not answer" in found.files_unknown


def test_an_unknown_run_is_named(services: MemoryServices) -> None:
    with pytest.raises(RefusedError) as refused:
        compared(services, right="breast-cancer-000000000000-9")

    assert (refused.value.status, refused.value.field) == (404, "right")


def test_a_run_is_shown_beside_the_champion_that_it_was_judged_against(services: MemoryServices) -> None:
    third = replace(RIGHT, run_id="breast-cancer-dddddddddddd-1", requested_by="d", fingerprint="d" * 64, plan=a_plan())
    services.ledger.runs.claim_run(third)
    ended(
        services,
        third.run_id,
        Outcome.NOT_PROMOTED,
        champion_run_id=LEFT.run_id,
        comparison=INTERVAL,
        metrics={"accuracy": 0.8},
    )

    view = answer_of("get_run", a_request(path=third.run_id), services, MemoryClient())

    assert view.parameters == third.parameters
    assert view.beside.left.run_id == LEFT.run_id
    assert view.beside.interval == INTERVAL
    assert view.decisions == ()


def test_the_first_run_stands_alone(services: MemoryServices) -> None:
    assert answer_of("get_run", a_request(path=LEFT.run_id), services, MemoryClient()).beside is None


def test_targets_show_what_serves_what_should_and_the_difference() -> None:
    world = HandsWorld()
    world.ledger.targets.note_drift(TARGET, PIPELINE, "its release is gone; it is started again")

    shown = {(each.target, each.pipeline): each for each in answer_of("list_targets", a_request(), world).targets}

    found = shown[TARGET, PIPELINE]
    assert (found.serving, found.desired_by, found.kept) == (NEW.run_id, NEW.run_id, (OLD.run_id, NEW.run_id))
    assert [release.run_id for release in found.desired] == [NEW.run_id]
    assert found.drift in found.sentence
    untouched = [each for each in shown.values() if each.pipeline != PIPELINE]
    assert untouched
    assert all(each.serving is None and each.observed_at is None for each in untouched)


def test_models_have_versions_with_their_stage() -> None:
    world = HandsWorld()
    running = a_run(3)
    world.ledger.runs.claim_run(running)
    found = answer_of("get_model", a_request(path="m"), world)

    assert {version.version: version.stage for version in found.versions} == {
        "1": d.ModelStage.RETIRED,
        "2": d.ModelStage.CHAMPION,
    }
    assert {version.version: version.image for version in found.versions}["2"] == image_of(NEW)
    listed = answer_of("list_models", a_request(), world).models
    assert {"m", "breast-cancer"} <= {model.name for model in listed}
    with pytest.raises(RefusedError) as refused:
        answer_of("get_model", a_request(path="none"), world)
    assert refused.value.status == 404
